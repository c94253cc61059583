/** A log record of KumoMTA for checks, with what a handler of a disposition hook is given. */
export interface LogRecord extends Record<string, unknown> {
	type: string;
	recipient: string | string[];
	response: {
		code: number;
		content: string;
		enhanced_code?: { class: number; subject: number; detail: number };
		command?: string;
	};
}

export const logRecord = (changes: Partial<LogRecord> = {}): LogRecord => ({
	type: 'Bounce',
	id: '0a1b2c3d4e5f',
	sender: 'v=1@bounce.example.com',
	recipient: 'gone@example.net',
	queue: 'news.example.com@example.net',
	site: 'mx.example.net',
	size: 2048,
	response: {
		code: 550,
		enhanced_code: { class: 5, subject: 1, detail: 1 },
		content: 'no such user',
		command: 'RCPT TO:<gone@example.net>'
	},
	peer_address: { name: 'mx1.example.net.', addr: '198.51.100.7' },
	timestamp: 1_800_000_060,
	created: 1_799_999_940,
	num_attempts: 1,
	bounce_classification: 'InvalidRecipient',
	delivery_protocol: 'ESMTP',
	reception_protocol: 'ESMTP',
	meta: {},
	headers: {},
	nodeid: '00000000-0000-0000-0000-000000000000',
	...changes
});
