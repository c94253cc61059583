import { connect } from 'node:tls';

/** Speaks POP3 (RFC 1939) over TLS: sends each line after the answer to the one before. Answers what came, greeting first. */
export function speakPop3(port: number, lines: string[]): Promise<string[]> {
	return new Promise((resolve, reject) => {
		const answers: string[] = [];
		const rest = [...lines, 'QUIT'];
		const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
		socket.setTimeout(20_000, () => socket.destroy(new Error('POP3: no answer')));
		socket.on('data', (part: Buffer) => {
			answers.push(part.toString().trimEnd());
			const next = rest.shift();
			if (next !== undefined) socket.write(`${next}\r\n`);
		});
		socket.once('error', reject);
		socket.once('close', () => resolve(answers));
	});
}
