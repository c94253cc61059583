import { execFileSync } from 'node:child_process';
import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	symlinkSync,
	utimesSync,
	writeFileSync
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { createFiles } from './files.ts';
import { createHost } from './host.ts';
import { run } from './run.ts';
import { createSystemd } from './systemd.ts';
import { findUser } from './users.ts';

const access = { mode: 0o640 };
const failing = (operation: string, code: string) =>
	createFiles((name) => {
		if (name.startsWith(`file.${operation} `)) throw Object.assign(new Error(code), { code });
	});

describe('files', () => {
	it('never writes through a symbolic link', async () => {
		const [here, elsewhere] = [temporaryDirectory(), temporaryDirectory()];
		const target = join(elsewhere, 'target');
		writeFileSync(target, 'theirs');
		symlinkSync(target, join(here, 'link'));
		symlinkSync(elsewhere, join(here, 'folder'));
		const { files } = createHost();
		await files.replaceFile(join(here, 'link'), 'ours', access);
		expect(statSync(join(here, 'link')).isFile()).toBe(true);
		expect(readFileSync(target, 'utf8')).toBe('theirs');
		symlinkSync(target, join(here, 'other'));
		expect(await refusalOf(files.createFile(join(here, 'other'), 'ours', access))).toMatchObject({
			reason: 'file-exists'
		});
		expect(await refusalOf(files.readText(join(here, 'other')))).toMatchObject({ reason: 'symbolic-link' });
		expect((await refusalOf(files.makeDirectory(join(here, 'folder'), access))).reason).toMatch(
			/symbolic-link|not-a-directory/
		);
		await files.remove(join(here, 'folder'));
		expect(existsSync(target)).toBe(true);
	});

	it.each([
		['open', 'EACCES', 'no-permission'],
		['write', 'ENOSPC', 'disk-full'],
		['write', 'EIO', 'disk-error'],
		['access', 'EPERM', 'no-permission'],
		['sync', 'EIO', 'disk-error'],
		['rename', 'EROFS', 'no-permission']
	])('leaves the old file and nothing else when %s fails with %s', async (operation, code, reason) => {
		const directory = temporaryDirectory();
		const path = join(directory, 'file');
		writeFileSync(path, 'old');
		const refusal = await refusalOf(failing(operation, code).replaceFile(path, 'new', access));
		expect(refusal).toMatchObject({ code: 'PRECONDITION_FAILED', reason });
		expect(refusal.message).toContain(path);
		expect(readFileSync(path, 'utf8')).toBe('old');
		expect(readdirSync(directory)).toEqual(['file']);
	});

	it('gives files the mode they must have, whatever the umask', async () => {
		const path = join(temporaryDirectory(), 'file');
		await createHost().files.createFile(path, 'text', access);
		expect(statSync(path).mode & 0o777).toBe(0o640);
	});

	it('hashes again when a file changed, also when its size and time did not', async () => {
		const path = join(temporaryDirectory(), 'file');
		const { files } = createHost();
		writeFileSync(path, 'one');
		const first = await files.hashOf(path);
		const { atime, mtime } = statSync(path);
		writeFileSync(path, 'two');
		utimesSync(path, atime, mtime);
		expect(await files.hashOf(path)).not.toBe(first);
	});

	it('a FIFO or anything else that is no regular file is refused at once, and holds no thread', async () => {
		const directory = temporaryDirectory();
		const [fifo, folder, socket] = ['custom.lua', 'folder', 'socket'].map((name) => join(directory, name)) as [
			string,
			string,
			string
		];
		execFileSync('mkfifo', [fifo]);
		mkdirSync(folder);
		const server = createServer();
		await new Promise<void>((resolve) => server.listen(socket, resolve));
		const { files } = createHost();
		// More of them at once than the pool has threads (4 unless UV_THREADPOOL_SIZE says so).
		const reads = Array.from({ length: 16 }, () => refusalOf(files.readBytes(fifo)));
		const others = [folder, socket, '/dev/null'].map((path) => refusalOf(files.readText(path)));
		const refusals = await Promise.all([...reads, ...others, refusalOf(files.hashOf(fifo))]);
		await new Promise((resolve) => server.close(resolve));
		for (const refusal of refusals)
			expect(refusal).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'not-a-regular-file' });
		expect(refusals[0]?.message).toContain(fifo);
	});

	it('says that a file is too large instead of reading it', async () => {
		const path = join(temporaryDirectory(), 'file');
		writeFileSync(path, 'x'.repeat(101));
		expect(await refusalOf(createHost().files.readText(path, 100))).toMatchObject({ reason: 'file-too-large' });
	});
});

describe('a program', () => {
	const node = process.execPath;
	const limits = { timeoutMs: 10_000, maxBytes: 1000 };

	it('gets its arguments as they are, and none of our environment', async () => {
		process.env.CANARY_SECRET = 'canary';
		const script = 'console.log(JSON.stringify([process.argv.slice(1), process.env.CANARY_SECRET ?? null]))';
		const result = await run(node, ['-e', script, '--', '$(id)', '; ls', 'a b'], limits);
		delete process.env.CANARY_SECRET;
		expect(JSON.parse(result.stdout)).toEqual([['$(id)', '; ls', 'a b'], null]);
	});

	it('is ended with all its children at the timeout', async () => {
		const marker = join(temporaryDirectory(), 'alive');
		const grandchild = `setInterval(() => require('fs').appendFileSync(${JSON.stringify(marker)}, 'x'), 20)`;
		const script = `process.on('SIGTERM', () => {}); require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}], { stdio: 'inherit' }); setInterval(() => {}, 1000)`;
		const result = await run(node, ['-e', script], { ...limits, timeoutMs: 800 });
		expect(result).toMatchObject({ timedOut: true, code: null, signal: 'SIGKILL' });
		const size = () => statSync(marker, { throwIfNoEntry: false })?.size ?? 0;
		await new Promise((resolve) => setTimeout(resolve, 100));
		const then = size();
		await new Promise((resolve) => setTimeout(resolve, 200));
		expect(then).toBeGreaterThan(0);
		expect(size()).toBe(then);
	});

	it('is heard up to a limit on each stream, and does not block on the rest', async () => {
		const script =
			"process.stdout.write('o'.repeat(300000)); process.stderr.write('e'.repeat(300000)); process.exitCode = 3";
		const result = await run(node, ['-e', script], limits);
		expect([result.code, result.stdout.length, result.stderr.length]).toEqual([3, 1000, 1000]);
	});

	it('that is not there is an error with its code', async () => {
		await expect(run('/nonexistent/program', [], limits)).rejects.toMatchObject({ code: 'ENOENT' });
	});
});

describe('users and services', () => {
	it('finds users by their whole name', () => {
		const passwd = join(temporaryDirectory(), 'passwd');
		writeFileSync(
			passwd,
			'root:x:0:0::/root:/bin/sh\nkumod2:x:7:7::/:/bin/false\nkumod:x:991:992::/var/spool/kumomta:/bin/false\n'
		);
		expect(findUser('kumod', passwd)).toEqual({ uid: 991, gid: 992 });
		expect(findUser('kumo', passwd)).toBeUndefined();
	});

	it('says that systemd does not run instead of calling it', async () => {
		const systemd = createSystemd(
			() => Promise.reject(new Error('not expected')),
			() => false
		);
		expect(await systemd.status('kumomta')).toMatchObject({ isManaged: false });
		expect(await systemd.restart('kumomta')).toMatchObject({ isDone: false });
	});

	it('restarts the one unit it may restart, and tells what systemctl said', async () => {
		const calls: string[][] = [];
		const answer = (code: number, stderr: string) => ({ code, signal: null, stdout: '', stderr, timedOut: false });
		const systemd = (code: number, stderr = '') =>
			createSystemd(
				(file, args) => {
					calls.push([file, ...args]);
					return Promise.resolve(answer(code, stderr));
				},
				() => true
			);
		expect(await systemd(0).restart('kumomta')).toMatchObject({ isDone: true });
		expect(await systemd(1, 'Job failed.').restart('kumomta')).toMatchObject({
			isDone: false,
			detail: expect.stringContaining('Job failed.') as string
		});
		expect(calls).toEqual([
			['systemctl', 'restart', 'kumomta.service'],
			['systemctl', 'restart', 'kumomta.service']
		]);
	});
});
