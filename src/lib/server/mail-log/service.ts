export { createLogTail } from './tail.ts';
export type { LogTail } from './tail.ts';
export type { TakenRecord, Taker } from './read-segment.ts';
export type { LogRecord } from './record.ts';
export { getLogState } from './reader-state.ts';
export type { LogState } from './reader-state.ts';
