import { spawn } from 'node:child_process';
import type { App } from '../../src/lib/server/app.ts';

/** How a process ended, and what it wrote. */
export interface Ended {
	code: number | null;
	out: string;
	err: string;
}

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;

/** `kumomta-ui` as people run it: a process of its own, beside a panel that has the database open. */
export function runCommand(
	app: Pick<App, 'env'>,
	args: string[],
	{ input = '', env = {} }: { input?: string; env?: Record<string, string> } = {}
): Promise<Ended> {
	const { dataDir, kumomtaRoot } = app.env;
	const child = spawn(process.execPath, [main, ...args], {
		env: {
			PATH: process.env['PATH'] ?? '',
			DATA_DIR: dataDir,
			KUMOMTA_ROOT: kumomtaRoot,
			KUMOD_API: 'http://127.0.0.1:9',
			...env
		}
	});
	const ended: Ended = { code: null, out: '', err: '' };
	child.stdout.on('data', (chunk: Buffer) => (ended.out += chunk.toString()));
	child.stderr.on('data', (chunk: Buffer) => (ended.err += chunk.toString()));
	child.stdin.on('error', () => {});
	child.stdin.end(input);
	return new Promise((resolve) => child.on('close', (code) => resolve({ ...ended, code })));
}
