import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../../tests/support/app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { isLocked, takeLock } from './lock.ts';
import { policyRoots } from './roots.ts';
import type { PolicyRoots } from './roots.ts';

function emptyRoots(): PolicyRoots {
	const roots = policyRoots(temporaryDirectory());
	mkdirSync(roots.policy, { recursive: true });
	return roots;
}

const holder = { actor: 'ops@example.net', since: Date.UTC(2026, 0, 5), pid: process.pid };

/** Another process that takes the lock, says so, and holds it until it is killed. */
function lockInChild(roots: PolicyRoots): Promise<{ kill: () => Promise<void> }> {
	const code = `const { takeLock } = await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))});
		takeLock(${JSON.stringify(roots)}, ${JSON.stringify({ ...holder, actor: 'cli:0' })});
		console.log('locked');
		setInterval(() => {}, 1000);`;
	const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
	const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
	return new Promise((resolve, reject) => {
		child.once('exit', () => reject(new Error('The child ended without the lock.')));
		child.stdout.once('data', () =>
			resolve({
				kill: () => {
					child.kill('SIGKILL');
					return ended;
				}
			})
		);
	});
}

describe('the lock over applies', () => {
	it('is held once, also inside one process, and says by whom and since when', async () => {
		const roots = emptyRoots();
		const release = takeLock(roots, holder);
		const refusal = await refusalOf(Promise.resolve().then(() => takeLock(roots, { ...holder, actor: 'cli:0' })));
		expect(refusal).toMatchObject({ code: 'CONFLICT', reason: 'apply-running' });
		expect(refusal.message).toContain('by ops@example.net since 2026-01-05T00:00:00.000Z');
		expect(isLocked(roots)).toBe(true);
		release();
		expect(isLocked(roots)).toBe(false);
		takeLock(roots, holder)();
	});

	it('is held against other processes and goes with a killed one', async () => {
		const roots = emptyRoots();
		const child = await lockInChild(roots);
		const refusal = await refusalOf(Promise.resolve().then(() => takeLock(roots, holder)));
		expect(refusal).toMatchObject({ code: 'CONFLICT', reason: 'apply-running' });
		expect(refusal.message).toContain('by cli:0');
		await child.kill();
		takeLock(roots, holder)();
	});

	it('is never taken through a link', async () => {
		const roots = emptyRoots();
		const target = join(temporaryDirectory(), 'target');
		writeFileSync(target, '');
		symlinkSync(target, roots.lock);
		expect(await refusalOf(Promise.resolve().then(() => takeLock(roots, holder)))).toMatchObject({
			reason: 'symbolic-link'
		});
	});

	it('does not name a holder that nobody can read', async () => {
		const roots = emptyRoots();
		const release = takeLock(roots, holder);
		writeFileSync(roots.lockHolder, '{"actor":');
		const refusal = await refusalOf(Promise.resolve().then(() => takeLock(roots, holder)));
		expect(refusal.message).toMatch(/^Another apply is running\. /);
		release();
	});
});
