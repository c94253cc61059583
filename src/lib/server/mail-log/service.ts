export { createLogTail } from './tail.ts';
export { getLogProgress } from './progress.ts';
export { maskText } from './mask.ts';
export type { TakenRecord, Taker } from './read-segment.ts';
export type { Complaint } from './record.ts';
export { getLogState } from './reader-state.ts';
export type { LogState } from './reader-state.ts';
