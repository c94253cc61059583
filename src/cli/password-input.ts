import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Secret } from '../lib/server/core/secret.ts';
import { UsageError } from './command.ts';

const maxBytes = 4096;

/** Asks twice on a terminal, without echo; otherwise takes the first line of standard input. */
export async function readPassword(): Promise<Secret> {
	if (!process.stdin.isTTY) return firstLine();
	const password = await askHidden('New password: ');
	if (password !== (await askHidden('Again: '))) throw new UsageError('The two passwords differ. Nothing was changed.');
	return notEmpty(password);
}

function askHidden(question: string): Promise<string> {
	process.stderr.write(question);
	const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
	const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
	return new Promise((resolve, reject) => {
		lines.once('line', (line) => {
			lines.removeAllListeners('close');
			lines.close();
			process.stderr.write('\n');
			resolve(line);
		});
		lines.once('SIGINT', () => lines.close());
		lines.once('close', () => {
			process.stderr.write('\n');
			reject(new UsageError('No password was given. Nothing was changed.'));
		});
	});
}

async function firstLine(): Promise<Secret> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
		bytes += chunk.length;
		if (bytes > maxBytes)
			throw new UsageError(
				`Standard input holds more than ${maxBytes} bytes: that is no password. Nothing was changed.`
			);
		chunks.push(chunk);
	}
	return notEmpty(Buffer.concat(chunks).toString('utf8').split(/\r?\n/)[0] ?? '');
}

function notEmpty(text: string): Secret {
	if (text === '') throw new UsageError('No password was given. Nothing was changed.');
	return new Secret(text);
}
