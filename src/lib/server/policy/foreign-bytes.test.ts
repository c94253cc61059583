import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { openSubject } from '../../../../tests/support/apply-faults.ts';
import type { Subject } from '../../../../tests/support/apply-faults.ts';
import { applyPending, restoreRevision } from './apply.ts';
import { closeCompiler } from './compile.ts';
import { restoreKept } from './revert.ts';
import { policyRoots } from './roots.ts';
import { getPreview, getStatus } from './service.ts';

let subject: Subject;
afterEach(() => closeCompiler(subject.app));

const who = { actor: 'cli:0', name: 'the test', userId: null, sessionId: null };
/** Lua takes any bytes; nobody promised UTF-8. */
const latin1 = Buffer.from("-- Gr\xfc\xdfe\nlocal name = '\xe9\xff\x80'\n", 'latin1');

it('a foreign policy that is no UTF-8 is kept, named and put back byte for byte', async () => {
	subject = await openSubject();
	const { app } = subject;
	const roots = policyRoots(app.env.kumomtaRoot);
	mkdirSync(roots.policy, { recursive: true });
	writeFileSync(roots.init, latin1);
	const sha256 = createHash('sha256').update(latin1).digest('hex');
	expect((await getStatus(app)).foreign).toEqual({ sha256, mayReplace: false });
	const { hash } = await getPreview(app);
	expect((await applyPending(app, who, { expectedHash: hash, takeOver: sha256 })).outcome).toBe('applied');
	for (const path of [roots.before, roots.previous]) expect(readFileSync(path).equals(latin1)).toBe(true);
	expect((await restoreKept(app, who)).outcome).toBe('applied');
	expect(readFileSync(roots.init).equals(latin1)).toBe(true);
	expect((await getStatus(app)).liveRevision).toBe(0);
});

it('custom.lua travels byte for byte', async () => {
	subject = await openSubject();
	const { app } = subject;
	const roots = policyRoots(app.env.kumomtaRoot);
	mkdirSync(roots.policy, { recursive: true });
	writeFileSync(roots.custom, latin1);
	const { hash } = await getPreview(app);
	const { revision } = await applyPending(app, who, { expectedHash: hash });
	const directory = join(roots.revisions, `${revision}-${hash.slice(0, 12)}`);
	expect(readFileSync(join(directory, 'custom.lua')).equals(latin1)).toBe(true);
});

it('custom.lua that others can change is code of theirs: nothing is applied', async () => {
	subject = await openSubject();
	const { app } = subject;
	const roots = policyRoots(app.env.kumomtaRoot);
	mkdirSync(roots.policy, { recursive: true });
	writeFileSync(roots.custom, 'return {}\n');
	for (const mode of [0o666, 0o664, 0o602]) {
		chmodSync(roots.custom, mode);
		await expect(getPreview(app)).rejects.toMatchObject({ detail: { reason: 'custom-lua-writable' } });
		expect((await getStatus(app)).problems).toMatchObject({ blocking: 1 });
	}
	chmodSync(roots.custom, 0o644);
	expect((await getPreview(app)).problemCounts.blocking).toBe(0);
});

it.each<[string, string, (path: string) => void]>([
	['can be changed by others', 'custom-lua-writable', (path) => chmodSync(path, 0o666)],
	[
		'cannot be read',
		'symbolic-link',
		(path) => {
			rmSync(path);
			symlinkSync('/dev/null', path);
		}
	],
	[
		'is no file',
		'not-a-regular-file',
		(path) => {
			rmSync(path);
			mkdirSync(path);
		}
	]
])('a live custom.lua that %s stops an apply, but no restore of a revision with its own', async (_, reason, spoil) => {
	subject = await openSubject();
	const { app } = subject;
	const roots = policyRoots(app.env.kumomtaRoot);
	mkdirSync(roots.policy, { recursive: true });
	writeFileSync(roots.custom, 'return {}\n');
	const first = await getPreview(app);
	const { revision } = await applyPending(app, who, { expectedHash: first.hash });
	writeFileSync(roots.custom, 'return { }\n');
	await applyPending(app, who, { expectedHash: (await getPreview(app)).hash });
	spoil(roots.custom);
	await expect(getPreview(app)).rejects.toMatchObject({ detail: { reason } });
	const restored = await restoreRevision(app, who, { number: revision ?? 0 });
	expect(restored.outcome).toBe('applied');
	const directory = join(roots.revisions, `${restored.revision}-${first.hash.slice(0, 12)}`);
	expect(readFileSync(join(directory, 'custom.lua'), 'utf8')).toBe('return {}\n');
});
