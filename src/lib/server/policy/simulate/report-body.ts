import type { Header } from '../lua/host.ts';

/**
 * KumoMTA knows a report by its parts: a message whose headers announce one gets the smallest body of that kind (RFC 3464,
 * RFC 5965). Everything else has an empty body.
 */
export function bodyFor(headers: readonly Header[]): string {
	const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
	if (!/^\s*multipart\/report\b/i.test(type)) return '';
	const boundary = parameter(type, 'boundary');
	const part = parts.get(parameter(type, 'report-type')?.toLowerCase() ?? '');
	if (boundary === undefined || part === undefined) return '';
	return [text, part, original].map((each) => `--${boundary}\r\n${each}\r\n`).join('') + `--${boundary}--\r\n`;
}

const lines = (...all: string[]) => `${all.join('\r\n')}\r\n`;
const text = lines('Content-Type: text/plain', '', 'A simulated report.');
const original = lines('Content-Type: text/rfc822-headers', '', 'Subject: simulated');
const parts = new Map([
	[
		'delivery-status',
		lines(
			'Content-Type: message/delivery-status',
			'',
			'Reporting-MTA: dns; mx.example.net',
			'',
			'Final-Recipient: rfc822; someone@example.net',
			'Action: failed',
			'Status: 5.1.1'
		)
	],
	[
		'feedback-report',
		lines('Content-Type: message/feedback-report', '', 'Feedback-Type: abuse', 'User-Agent: simulated/1', 'Version: 1')
	]
]);

function parameter(type: string, name: string): string | undefined {
	const [, quoted, bare] = new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"\\\\]*)"|([^\\s;"]+))`, 'i').exec(type) ?? [];
	return quoted ?? bare;
}
