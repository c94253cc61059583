export { removeOldFeedback } from './retention.ts';
export { feedbackTaker } from './store.ts';
