import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The server as it is built, on a free port and a directory of its own. */
export interface BuiltServer {
	url: string;
	dataDir: string;
	kumomtaRoot: string;
	setupCode: () => string;
	pid: () => number;
	/** Everything the process wrote so far, both streams. */
	output: () => string;
	/** Ends it by a signal and answers its exit code. */
	stop: (signal?: NodeJS.Signals) => Promise<number | null>;
	/** Starts it again on the same directory and port. */
	restart: () => Promise<void>;
	remove: () => Promise<void>;
}

const root = resolve(import.meta.dirname, '../..');
const node =
	[join(root, `node_modules/node-${process.platform}-${process.arch}/bin/node`)].find(existsSync) ?? process.execPath;

export async function startBuiltServer(env: Record<string, string> = {}): Promise<BuiltServer> {
	const dataDir = mkdtempSync(join(tmpdir(), 'kumomta-ui-server-'));
	const kumomtaRoot = join(dataDir, 'kumomta');
	let port = '0';
	let output = '';
	let child: ChildProcess;

	async function start(): Promise<void> {
		const inherited = { PATH: process.env.PATH ?? '', HOME: dataDir };
		child = spawn(node, ['--max-semi-space-size=1', '--max-old-space-size=1024', join(root, 'build/server.js')], {
			cwd: dataDir,
			env: { ...inherited, DATA_DIR: dataDir, KUMOMTA_ROOT: kumomtaRoot, PORT: port, ...env },
			stdio: ['ignore', 'pipe', 'pipe']
		});
		const read = (chunk: Buffer) => (output += chunk.toString());
		child.stdout?.on('data', read);
		child.stderr?.on('data', read);
		const from = output.length;
		for (;;) {
			const ready = /is ready at https?:\/\/\S*?:(\d+)/.exec(output.slice(from));
			if (ready?.[1]) return void (port = ready[1]);
			if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}:\n${output}`);
			await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')]);
		}
	}

	async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
		if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
		const ended = once(child, 'exit');
		child.kill(signal);
		return ((await ended) as [number | null])[0];
	}

	await start();
	return {
		get url() {
			return `http://127.0.0.1:${port}`;
		},
		dataDir,
		kumomtaRoot,
		setupCode: () => readFileSync(join(dataDir, 'setup-code'), 'utf8').trim(),
		pid: () => child.pid ?? 0,
		output: () => output,
		stop,
		restart: start,
		async remove() {
			await stop('SIGKILL');
			rmSync(dataDir, { recursive: true, force: true });
		}
	};
}
