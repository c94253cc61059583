/**
 * Loaded into a built server before it starts (`node --import`): a machine with a systemd that obeys, a monotonic clock that
 * SIGUSR2 moves on, and a disk that refuses to put `init.lua` in place while the file DISK_REFUSES is there. Not systemd.
 */
import childProcess from 'node:child_process';
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const { existsSync } = fs;
const { spawn } = childProcess;
const { rename } = promises;
const refusal = process.env['DISK_REFUSES'] ?? '';

const unit = 'LoadState=loaded\nActiveState=active\nSubState=running';
const obey = `if (process.argv[1] === 'show') console.log(${JSON.stringify(unit)})`;

Object.assign(fs, {
	existsSync: (path: fs.PathLike) => path === '/run/systemd/system' || existsSync(path)
});
Object.assign(childProcess, {
	spawn: (file: string, args: string[], options: childProcess.SpawnOptions) =>
		file === 'systemctl' ? spawn(process.execPath, ['-e', obey, ...args], options) : spawn(file, args, options)
});
Object.assign(promises, {
	rename: async (from: string, to: string) => {
		if (to.endsWith('/init.lua') && existsSync(refusal)) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
		await rename(from, to);
	}
});
syncBuiltinESMExports();

/** More than a confirmation takes. */
const stepMs = 400_000;
let aheadMs = 0;
const now = performance.now.bind(performance);
Object.defineProperty(performance, 'now', { value: () => now() + aheadMs });
process.on('SIGUSR2', () => (aheadMs += stepMs));
