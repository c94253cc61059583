import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { TestApp } from './app.ts';
import { openTestApp, temporaryDirectory } from './app.ts';
import { makeDovecotDouble } from './dovecot-double.ts';
import { domainName } from './estate.ts';
import { momentReader } from './fault-aim.ts';
import type { Fault } from './fault-aim.ts';
import { absentKumod, estateKeyText, fillEstate, testHost } from './policy-app.ts';
import type { FaultPoint } from '../../src/lib/server/host/files.ts';
import { applyPending } from '../../src/lib/server/policy/apply.ts';
import { usualTimes } from '../../src/lib/server/policy/apply-run.ts';
import type { ApplyAnswer, ApplyTimes } from '../../src/lib/server/policy/apply-run.ts';
import type { Timer } from '../../src/lib/server/policy/watch.ts';
import type { Kumod } from '../../src/lib/server/kumod/client.ts';
import { KumodError } from '../../src/lib/server/kumod/http.ts';
import { findDrift } from '../../src/lib/server/policy/drift.ts';
import { readLive } from '../../src/lib/server/policy/live.ts';
import type { Live } from '../../src/lib/server/policy/live.ts';
import { isLocked } from '../../src/lib/server/policy/lock.ts';
import { findMailDrift } from '../../src/lib/server/policy/mail-step.ts';
import { recoverApplies } from '../../src/lib/server/policy/recover.ts';
import { policyRoots } from '../../src/lib/server/policy/roots.ts';
import { getPreview, getProgress, getStatus } from '../../src/lib/server/policy/service.ts';

export const domains = 2;
const who = { actor: 'cli:0', name: 'the test', userId: null, sessionId: null };

export interface Subject {
	app: TestApp;
	/** What the next calls of this machine meet; nothing unless set. */
	fault: { point?: FaultPoint | undefined };
	/** What the wall clock is ahead of the true time, in milliseconds. */
	skew: { ms: number };
	times?: ApplyTimes;
}

/** An app on real files whose machine can be made to fail. */
export async function openSubject({ isWatched = false } = {}): Promise<Subject> {
	const fault: Subject['fault'] = {};
	const skew = { ms: 0 };
	const app = await openTestApp({
		host: { ...testHost((name) => fault.point?.(name)), ...(isWatched && { systemd: obedientSystemd }) },
		kumod: isWatched ? healthyKumod() : absentKumod(),
		clock: () => Date.now() + skew.ms,
		env: { DOVECOT_BIN: makeDovecotDouble(temporaryDirectory()).bin }
	});
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains, senders: 4 });
	return { app, fault, skew, ...(isWatched && { times: { ...usualTimes, timer: hastyTimer() } }) };
}

const obedientSystemd = {
	status: () => Promise.resolve({ isManaged: true, isActive: true, detail: 'active (running)' }),
	restart: () => Promise.resolve({ isDone: true, detail: 'was restarted' })
};

/** A KumoMTA in this process on which nothing ever fails: not KumoMTA. */
function healthyKumod(): Partial<Kumod> {
	let loads = 1;
	return {
		checkLiveness: () => Promise.resolve({ state: 'alive' }),
		bumpConfigEpoch: () => Promise.resolve(void (loads += 1)),
		getLuaLoadCount: () => Promise.resolve((loads += 1)),
		greet: () => Promise.resolve({ ok: true, banner: '220 mta' }),
		async *streamMetrics() {
			await Promise.resolve();
			yield Buffer.from(`lua_load_count ${loads}\n`);
		},
		getMachine: () => Promise.reject(new KumodError('The double has no machine.', 'kumomta-unreachable'))
	};
}

/** Time that passes only in sleeps, and then at once. */
function hastyTimer(): Timer {
	let now = 0;
	return {
		now: () => now,
		sleep: (ms) => new Promise((resolve) => setImmediate(() => resolve(void (now += ms))))
	};
}

let edits = 0;
/** Some change of the data, or of what needs a restart, or of pools; each is new. */
export async function editPolicy({ app }: Subject, kind: number): Promise<void> {
	edits += 1;
	const name = `e${edits}.example.net`;
	const [sql, value] = [
		['UPDATE settings SET hostname = ?', name],
		['UPDATE senders SET max_age_seconds = ? WHERE seq = (SELECT min(seq) FROM senders)', 1000 + edits],
		['UPDATE sources SET ehlo_domain = ? WHERE id = (SELECT min(id) FROM sources)', name]
	][kind % 3] as [string, string | number];
	await app.database.client.execute({ sql, args: [value] });
}

export async function apply({ app, times }: Subject): Promise<ApplyAnswer> {
	const { hash } = await getPreview(app);
	return applyPending(app, who, { expectedHash: hash }, times);
}

/** Runs the apply in a process of its own that kills itself; answers the moments it came to. */
export function applyInChild(
	{ app }: Subject,
	deadly: number | string
): Promise<{ moments: string[]; signal: string | null }> {
	const child = spawn(process.execPath, [join(import.meta.dirname, '../faults/apply-child.ts'), String(deadly)], {
		env: {
			PATH: process.env.PATH,
			DATA_DIR: app.env.dataDir,
			KUMOMTA_ROOT: app.env.kumomtaRoot,
			DOVECOT_BIN: app.env.dovecotBin
		},
		stdio: ['ignore', 'pipe', 'inherit']
	});
	let text = '';
	child.stdout.on('data', (part: Buffer) => (text += part.toString()));
	return new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', (code, signal) => {
			const moments = text.trim().split('\n');
			if (signal === null && code !== 0) reject(new Error(`The child ended with ${code} after ${moments.at(-1)}`));
			else resolve({ moments, signal });
		});
	});
}

/**
 * After any fault: the live policy is exactly one complete revision, one of those it may be; records tell the truth; the
 * lock is free.
 * @param before what was live before; null: nothing was. Answers what is live now: that, or a newer revision.
 */
export async function expectWhole({ app }: Subject, before: number | null): Promise<number | null> {
	const roots = policyRoots(app.env.kumomtaRoot);
	expect(isLocked(roots)).toBe(false);
	await recoverApplies(app);
	const live = await readLive(app.host, roots);
	const number = live.kind === 'ours' ? live.number : null;
	expect(['ours', 'absent']).toContain(live.kind);
	if (number !== before) expect(number).toBeGreaterThan(before ?? 0);
	expect(await findDrift(app.host, roots, live)).toEqual([]);
	if (number !== null) expectKeys(roots.dkim);
	await expectDovecot(app, live);
	const { rows: running } = await app.database.client.execute("SELECT id FROM applies WHERE outcome = 'running'");
	expect(running).toEqual([]);
	const { rows: unrecorded } = await app.database.client.execute({
		sql: 'SELECT number FROM revisions WHERE number = ? AND applied_at IS NULL',
		args: [number]
	});
	expect(unrecorded).toEqual([]);
	return number;
}

/** Dovecot's files are those of the very revision that KumoMTA runs, and nobody's password was left for a look. */
async function expectDovecot(app: TestApp, live: Live): Promise<void> {
	const { dovecotEtc } = app.env;
	const conf = join(dovecotEtc, 'dovecot.conf');
	const named = existsSync(conf) ? /revision (\S+)/.exec(readFileSync(conf, 'utf8'))?.[1] : undefined;
	expect(named).toBe('revision' in live ? live.revision : undefined);
	expect(await findMailDrift(app, policyRoots(app.env.kumomtaRoot), live)).toEqual([]);
}

function expectKeys(dkim: string): void {
	for (let number = 0; number < domains; number += 1) {
		expect(readFileSync(join(dkim, domainName(number), 'k1.key'), 'utf8')).toBe(estateKeyText(number));
	}
}

/** The next apply works and leaves nothing dirty, whatever happened before. */
export async function expectNextApply(subject: Subject): Promise<number> {
	const answer = await apply(subject);
	expect(['applied', 'unchanged']).toContain(answer.outcome);
	const status = await getStatus(subject.app, { waitMs: 10_000 });
	expect(status).toMatchObject({ dirty: false, drift: [], runningApplyId: null, liveRevision: answer.revision });
	expect(await getProgress(subject.app, { applyId: answer.applyId })).toMatchObject({ outcome: answer.outcome });
	return answer.revision ?? -1;
}

/** Half-written files below the KumoMTA root. */
export function temporaryFiles({ app }: Subject): string[] {
	if (!existsSync(app.env.kumomtaRoot)) return [];
	const names = readdirSync(app.env.kumomtaRoot, { recursive: true, encoding: 'utf8' });
	return names.filter((name) => /\.tmp$|\.staging-|init\.lua\.staged/.test(name));
}

/** A quarter of an hour later nothing of a killed apply is left, and what is live is still whole. */
export async function expectLeftoversGo(subject: Subject, live: number | null): Promise<void> {
	await recoverApplies({ ...subject.app, clock: () => Date.now() + 16 * 60_000 });
	expect(temporaryFiles(subject)).toEqual([]);
	expect(await expectWhole(subject, live)).toBe(live);
}

/** The machine as before the first apply; the database goes on and never gives a number twice. */
export async function removeEverythingOnDisk({ app }: Subject): Promise<void> {
	rmSync(app.env.kumomtaRoot, { recursive: true, force: true });
	await app.database.client.execute('UPDATE revisions SET applied_at = NULL');
}

/** The same subject on a machine whose kumod is this one, which may take `validateMs` to validate. */
export function withKumod(subject: Subject, kumodBin: string, validateMs: number): Subject {
	const { app, times = usualTimes } = subject;
	const patience = { ...times.patience, validateMs };
	return { ...subject, app: { ...app, env: { ...app.env, kumodBin } }, times: { ...times, patience } };
}

/**
 * Runs an apply that meets `fault` at the moment `index` of its step: once, or (lasting) from then on until it has ended.
 * A way back needs a revision that is found bad: its watch fails first. Answers the outcome and whether the fault was met.
 */
export async function applyFailing(
	subject: Subject,
	{ kind, step }: Fault,
	{ index, isLasting = false, jumpMs = 0 }: { index: number; isLasting?: boolean; jumpMs?: number }
): Promise<{ outcome: string; isHit: boolean }> {
	const read = momentReader();
	let isHit = false;
	subject.fault.point = (name) => {
		const at = read(name);
		if (step === 'revert' && name === 'watch.judged') throw Object.assign(new Error('EIO'), { code: 'EIO' });
		const isNow = !isHit && at.step === step && at.index === index;
		isHit ||= isNow;
		if (isNow && kind === 'clock') subject.skew.ms += jumpMs;
		if ((isNow || (isHit && isLasting)) && kind !== 'clock') throw Object.assign(new Error(kind), { code: kind });
	};
	try {
		return { outcome: (await apply(subject)).outcome, isHit };
	} catch {
		return { outcome: 'refused', isHit };
	} finally {
		subject.fault.point = undefined;
	}
}

/** How many moments each step of an apply has, its way back among them. */
export async function countMoments(subject: Subject, kind: number): Promise<Map<string, number>> {
	const counts = new Map<string, number>();
	for (const isBad of [false, true]) {
		await editPolicy(subject, kind);
		const read = momentReader();
		subject.fault.point = (name) => {
			const { step, index } = read(name);
			if (!isBad || step === 'revert') counts.set(step, index + 1);
			if (isBad && name === 'watch.judged') throw Object.assign(new Error('EIO'), { code: 'EIO' });
		};
		await apply(subject);
		subject.fault.point = undefined;
	}
	return counts;
}
