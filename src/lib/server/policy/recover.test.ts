import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { apply, editPolicy, openSubject } from '../../../../tests/support/apply-faults.ts';
import type { Subject } from '../../../../tests/support/apply-faults.ts';
import { closeCompiler } from './compile.ts';
import { listRevisions } from './history.ts';
import { takeLock } from './lock.ts';
import { recoverApplies } from './recover.ts';
import { removeOldRevisions } from './retention.ts';
import { policyRoots } from './roots.ts';
import { getProgress, getStatus } from './service.ts';

let subject: Subject;
afterEach(() => closeCompiler(subject.app));

const rootsOf = ({ app }: Subject) => policyRoots(app.env.kumomtaRoot);
const execute = (sql: string, args: (string | number | null)[] = []) =>
	subject.app.database.client.execute({ sql, args });
const applied = async () => {
	await editPolicy(subject, 1);
	return apply(subject);
};

const audited = async (action: string) =>
	(await execute('SELECT actor, target, outcome FROM audit_entries WHERE action = ?', [action])).rows.map(
		({ actor, target, outcome }) => ({ actor, target, outcome })
	);

describe('recovery', () => {
	it('touches nothing on a machine where nothing was applied', async () => {
		subject = await openSubject();
		await recoverApplies(subject.app);
		expect(existsSync(subject.app.env.kumomtaRoot)).toBe(false);
	});

	it('settles nothing while an apply runs, here or elsewhere', async () => {
		subject = await openSubject();
		const { applyId } = await applied();
		await execute("UPDATE applies SET outcome = 'running'");
		const release = takeLock(rootsOf(subject), { actor: 'cli:0', since: 0, pid: 1 });
		await recoverApplies(subject.app);
		expect((await getProgress(subject.app, { applyId })).outcome).toBe('running');
		release();
		await recoverApplies(subject.app);
		expect((await getProgress(subject.app, { applyId })).outcome).toBe('interrupted');
		await recoverApplies(subject.app);
		expect(await audited('policy.settle')).toEqual([{ actor: 'job:policy.recover', target: applyId, outcome: 'ok' }]);
	});

	it('finds the live revision again after the database went back in time', async () => {
		subject = await openSubject();
		await applied();
		const { revision } = await applied();
		await execute('DELETE FROM revisions');
		await recoverApplies(subject.app);
		expect((await getStatus(subject.app)).liveRevision).toBe(revision);
		const { items } = await listRevisions(subject.app, { limit: 50 });
		expect(items).toMatchObject([{ number: revision, isLive: true, canRestore: true }]);
		await recoverApplies(subject.app);
		expect(await audited('policy.recordLive')).toEqual([
			{ actor: 'job:policy.recover', target: String(revision), outcome: 'ok' }
		]);
		expect((await applied()).revision).toBe((revision ?? 0) + 1);
	});

	it('removes what was staged for nothing after 15 minutes, and never what is live or was before', async () => {
		subject = await openSubject();
		await applied();
		await applied();
		const roots = rootsOf(subject);
		const kept = readdirSync(roots.revisions);
		await execute('UPDATE revisions SET applied_at = NULL');
		const [old, young] = [join(roots.revisions, '98-0a1b2c3d4e5f'), join(roots.revisions, '99-0a1b2c3d4e5f')];
		for (const directory of [old, young]) mkdirSync(directory);
		writeFileSync(join(old, 'program.lua'), '');
		for (const name of [...kept, '98-0a1b2c3d4e5f'])
			utimesSync(join(roots.revisions, name), 1, Date.now() / 1000 - 16 * 60);
		await recoverApplies(subject.app);
		expect(readdirSync(roots.revisions)).toEqual([...kept, '99-0a1b2c3d4e5f']);
	});
});

describe('retention', () => {
	const limits = { revisions: 200, ageMs: 86_400_000, bytes: 1e12, atLeast: 3 };

	it.each([
		['too many', { ...limits, revisions: 4 }, 0, [6, 5, 4, 3]],
		['too old', limits, 2 * 86_400_000, [6, 5, 4]],
		['too large', { ...limits, bytes: 1 }, 0, [6, 5, 4]],
		['nothing', limits, 0, [6, 5, 4, 3, 2, 1]]
	] as const)('removes what is %s', async (what, given, laterMs, left) => {
		subject = await openSubject();
		for (let number = 1; number <= 6; number += 1) await applied();
		const now = Date.now() + laterMs;
		const later = { ...subject.app, clock: () => now };
		await removeOldRevisions(later, rootsOf(subject), given);
		const { items } = await listRevisions(subject.app, { limit: 50 });
		expect(items.filter(({ canRestore }) => canRestore).map(({ number }) => number)).toEqual(left);
		expect(items.map(({ number }) => number)).toEqual([6, 5, 4, 3, 2, 1]);
		const wanted = { 'too many': 'count', 'too old': 'age', 'too large': 'bytes', nothing: undefined }[what];
		for (const { retention } of items.filter(({ canRestore }) => !canRestore))
			expect(retention).toMatchObject({ state: 'removed', because: wanted, at: later.clock() });
		expect(readdirSync(rootsOf(subject).revisions).map((name) => Number(name.split('-')[0]))).toEqual(
			[...left].reverse()
		);
	});

	it('a removal that stops half-way has said why, and its directory goes with the leftovers', async () => {
		subject = await openSubject();
		for (let number = 1; number <= 5; number += 1) await applied();
		const halfWay = new Error('the process ends here');
		const faultPoint = (name: string) => (name === 'retention.between' ? Promise.reject(halfWay) : undefined);
		const dying = { ...subject.app, host: { ...subject.app.host, faultPoint } };
		const limits = { revisions: 4, ageMs: 1e12, bytes: 1e12, atLeast: 3 };
		await expect(removeOldRevisions(dying, rootsOf(subject), limits)).rejects.toBe(halfWay);
		const [oldest] = (await listRevisions(subject.app, { limit: 50 })).items.slice(-1);
		expect(oldest).toMatchObject({ number: 1, canRestore: false, retention: { state: 'removed', because: 'count' } });
		const nameOf = () => readdirSync(rootsOf(subject).revisions).find((name) => name.startsWith('1-'));
		const path = join(rootsOf(subject).revisions, nameOf() ?? '');
		utimesSync(path, 1, Date.now() / 1000 - 16 * 60);
		await recoverApplies(subject.app);
		expect(nameOf()).toBeUndefined();
	});

	it('keeps the live and the previous revision whatever its limits', async () => {
		subject = await openSubject();
		for (let number = 1; number <= 4; number += 1) await applied();
		const later = { ...subject.app, clock: () => Date.now() + 1e12 };
		await removeOldRevisions(later, rootsOf(subject), { revisions: 0, ageMs: 0, bytes: 0, atLeast: 0 });
		const { items } = await listRevisions(subject.app, { limit: 50 });
		expect(items.map(({ number, retention }) => [number, retention.because])).toEqual([
			[4, 'live'],
			[3, 'previous'],
			[2, 'count'],
			[1, 'count']
		]);
		expect((await getStatus(subject.app)).drift).toEqual([]);
	});
});
