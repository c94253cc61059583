export { createLogTail } from './tail.ts';
export type { TakenRecord, Taker } from './read-segment.ts';
export { getLogState } from './reader-state.ts';
