import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface RunOptions {
	timeoutMs: number;
	/** Kept of each stream; the rest is read and dropped. */
	maxBytes: number;
	/** Beside PATH and the locale. */
	env?: Record<string, string>;
}

export interface RunResult {
	/** Null when a signal ended the process. */
	code: number | null;
	signal: NodeJS.Signals | null;
	stdout: string;
	stderr: string;
	timedOut: boolean;
}

/**
 * Runs a program with an argument array, never through a shell, in a process group of its own: at the timeout the whole
 * group is killed. Its environment holds PATH and a fixed locale only, so that no secret of ours reaches it.
 * @throws the errno error of spawn when the program cannot be started at all.
 */
export function run(file: string, args: string[], { timeoutMs, maxBytes, env }: RunOptions): Promise<RunResult> {
	return new Promise((resolve, reject) => {
		const child = spawn(file, args, {
			detached: true,
			stdio: ['ignore', 'pipe', 'pipe'],
			env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', ...env }
		});
		const stdout = collect(child.stdout, maxBytes);
		const stderr = collect(child.stderr, maxBytes);
		let timedOut = false;
		const timer = setTimeout(() => {
			timedOut = true;
			killGroup(child);
		}, timeoutMs);
		child.once('error', (error) => {
			clearTimeout(timer);
			reject(error);
		});
		// A grandchild may hold the pipes open after the program itself has ended.
		child.once('exit', () => setTimeout(() => killGroup(child), 500).unref());
		child.once('close', (code, signal) => {
			clearTimeout(timer);
			resolve({ code, signal, stdout: stdout(), stderr: stderr(), timedOut });
		});
	});
}

function killGroup(child: ChildProcess): void {
	if (child.pid === undefined) return;
	try {
		process.kill(-child.pid, 'SIGKILL');
	} catch {
		// The group is gone already.
	}
	child.stdout?.destroy();
	child.stderr?.destroy();
}

function collect(stream: Readable, maxBytes: number): () => string {
	const parts: Buffer[] = [];
	let kept = 0;
	stream.on('data', (part: Buffer) => {
		if (kept >= maxBytes) return;
		parts.push(part.subarray(0, maxBytes - kept));
		kept += Math.min(part.length, maxBytes - kept);
	});
	return () => Buffer.concat(parts).toString('utf8');
}
