import type { Pasted } from './pasted.ts';
import { readReport } from './report/read-report.ts';
import { meaningOf } from './report/status-words.ts';
import { readReturnPath } from './verp.ts';

/** What a report says that somebody pasted. Nothing of it is kept. */
export function parseReport(text: Pasted) {
	const report = readReport(text.bytes());
	const paths = [report.to, report.original?.returnPath ?? '', report.complaint?.mailFrom ?? ''];
	return {
		...report,
		recipients: report.recipients.map((each) => ({ ...each, meaning: meaningOf(each) })),
		writtenRecipient: paths.map((path) => readReturnPath(path)?.recipient ?? null).find((each) => each !== null) ?? null
	};
}
