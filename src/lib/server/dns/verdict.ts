import type { ExpectedRecord } from './records.ts';
import type { Answer } from './resolver.ts';
import { shownList, shownText } from './shown.ts';

/** `unknown`: the look-up failed, so that nothing can be said; never taken for `missing`. */
export interface CheckedRecord extends ExpectedRecord {
	status: 'ok' | 'missing' | 'mismatch' | 'unknown';
	/** What is published under the name, made harmless for showing. */
	found: string[];
	/** What is true now and what to do; empty when there is nothing to say. */
	advice: string;
}

type Verdict = Pick<CheckedRecord, 'status' | 'advice'>;

/** The one way to a verdict: whatever of a stranger's text it carries comes out harmless. */
export function judged(record: ExpectedRecord, verdict: Verdict, found: string[] = []): CheckedRecord {
	return { ...record, status: verdict.status, advice: shownText(verdict.advice), found: shownList(found) };
}

export const ok = (advice = ''): Verdict => ({ status: 'ok', advice });
export const mismatch = (advice: string): Verdict => ({ status: 'mismatch', advice });

/** The verdict on an answer that holds nothing to compare; undefined when it does. */
export function withoutValues({ type, name }: ExpectedRecord, answer: Answer<unknown>): Verdict | undefined {
	if (answer.state === 'failed') return unknown(answer.reason);
	if (answer.state === 'found') return undefined;
	const what = answer.reason === 'no-name' ? `The name ${name} does not exist` : `${name} has no ${type} record`;
	return { status: 'missing', advice: `${what} as far as the resolvers see. Publish this record.` };
}

export function unknown(reason: 'timeout' | 'server'): Verdict {
	const what = reason === 'timeout' ? 'No resolver answered in time' : 'The resolvers could not answer';
	return {
		status: 'unknown',
		advice: `${what}, so nothing is known about this record. Check again; if it stays so, look at the resolvers in Settings and at the zone's name servers.`
	};
}
