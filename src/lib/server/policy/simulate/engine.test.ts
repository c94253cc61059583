import { appendFileSync, chmodSync, cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp } from '../../../../../tests/support/app.ts';
import type { TestApp } from '../../../../../tests/support/app.ts';
import { absentKumod, fillEstate, testHost } from '../../../../../tests/support/policy-app.ts';
import { refusalOf } from '../../../../../tests/support/refusal.ts';
import { writeSuppression } from '../../../../../tests/support/suppression-files.ts';
import { applyPending } from '../apply.ts';
import { closeCompiler } from '../compile.ts';
import { logRecord } from '../lua/log-record.ts';
import { getStatus } from '../service.ts';
import { converse } from './conversation.ts';
import { simulate as input } from './inputs.ts';
import { openRevision } from './open-revision.ts';
import { reportTarget } from './message.ts';
import { closeSimulator, simulate, withSimulator } from './service.ts';

const own = 's000001@d00000.example';
const caller = { actor: 'cli:0', name: 'cli:0', userId: null, sessionId: null };
let app: TestApp;
let directory: string;

/** Revision 1 of a small estate, on disk. */
beforeAll(async () => {
	app = await openTestApp({ host: testHost(), kumod: absentKumod() });
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 3, senders: 60 });
	const { pendingHash } = await getStatus(app, { waitMs: 5000 });
	await applyPending(app, caller, { expectedHash: pendingHash ?? '' });
	const revisions = join(app.env.kumomtaRoot, 'etc/policy/revisions');
	directory = join(revisions, readdirSync(revisions).find((name) => name.startsWith('1-')) ?? '');
});
afterAll(async () => {
	await closeSimulator(app);
	await closeCompiler(app);
});

const message = (changes: Record<string, unknown> = {}) =>
	input.parse({
		arrival: { via: 'smtp', listener: 'submission', clientAddress: '203.0.113.5', authenticatedAs: own },
		mailFrom: own,
		recipients: ['someone@gmail.com'],
		headers: [{ name: 'From', value: own }],
		...changes
	});
const as = (user: string, via: 'smtp' | 'http' = 'smtp') =>
	message({
		arrival:
			via === 'http'
				? { via, clientAddress: '127.0.0.1', authenticatedAs: user }
				: { via, listener: 'submission', clientAddress: '203.0.113.5', authenticatedAs: user }
	});

describe('a simulation', () => {
	it.each([
		['of a login', () => as(own), 1],
		['of a login that nobody has', () => as('nobody@d00000.example'), 1],
		['over HTTP', () => as(own, 'http'), 1],
		['of a relay without a login', () => message({ arrival: { via: 'http', clientAddress: '127.0.0.1' } }), 0]
	])('%s costs at most one hash of a password', async (_, make, most) => {
		const opened = await openRevision(directory);
		const before = opened.policy.observed().hmacs;
		converse(opened, make());
		expect(opened.policy.observed().hmacs - before).toBeLessThanOrEqual(most);
		opened.close();
	});

	it.each([
		['logins that fail', () => as('nobody@d00000.example')],
		['logins that succeed', () => as(own)],
		['logins over HTTP', () => as(own, 'http')]
	])('does not count for the next one: %s', async (_, make) => {
		const opened = await openRevision(directory);
		const first = converse(opened, make());
		for (let times = 0; times < 80; times += 1) expect(converse(opened, make())).toEqual(first);
		opened.close();
	});
});

describe('suppression lists', () => {
	const gone = 'gone@example.net';
	const lists = () => join(app.env.kumomtaRoot, 'etc/policy/suppression');
	beforeAll(() => writeSuppression(lists(), { base: [[gone, 'd00000.example', 'hard-bounce']], delta: [] }));
	afterAll(() => rmSync(lists(), { recursive: true }));

	it.each([['submission'], ['http']])('refuse a recipient in a simulation over %s, by name', async (via) => {
		const answer = await simulate(app, {
			...message({
				recipients: [gone, 'here@example.net'],
				...(via === 'http' && { arrival: { via, clientAddress: '127.0.0.1' } })
			}),
			revision: 1
		});
		const text = '5.7.1 suppressed by the list of d00000.example: hard-bounce';
		expect(answer).toMatchObject({
			verdict: 'partly',
			recipients: [{ recipient: gone, rule: 'recipient-suppressed', reply: { code: 550, text } }, { accepted: true }]
		});
		expect(answer.unknowns.map(({ code }) => code)).not.toContain('suppression');
	});

	it('are nothing to golden routes', async () => {
		const found = await withSimulator(app, 1, (run) => run(message({ recipients: [gone] })));
		expect(found).toMatchObject({ verdict: 'accepted' });
	});

	it('that cannot be read refuse nobody, and the simulation says so', async () => {
		writeSuppression(lists(), { base: 'broken' });
		const answer = await simulate(app, { ...message({ recipients: [gone] }), revision: 1 });
		expect(answer.verdict).toBe('accepted');
		expect(answer.unknowns.map(({ code }) => code)).toContain('suppression');
	});
});

describe('whom a failure would be reported to', () => {
	const host = 'bounce.d00000.example';

	it.each([
		[`replies@${host}`, `replies@${host}`],
		[`replies+17@${host}`, `replies@${host}`],
		[`Replies+17@${host.toUpperCase()}`, `replies@${host}`],
		[`v=17=a=b.example@${host}`, `replies@${host}`],
		[`a+b+c@${host}`, `replies@${host}`],
		[own, undefined],
		['someone@elsewhere.example', undefined],
		['', undefined]
	])('for %j is told as the program does it: %s', async (mailFrom, expected) => {
		const opened = await openRevision(directory);
		expect(reportTarget(opened, mailFrom)).toBe(expected);
		const { policy } = opened;
		const index = policy.newMessage({
			sender: mailFrom,
			recipients: ['gone@example.net'],
			headers: [],
			meta: { x_sender: 's1' }
		});
		policy.call(
			'log_disposition_kumomta_ui',
			{ kind: 'message', value: index },
			{ kind: 'record', value: logRecord() }
		);
		expect(policy.takeInjected().flatMap(({ recipients }) => recipients)).toEqual(
			expected === undefined ? [] : [expected]
		);
		opened.close();
	});

	it('stands in the trail', async () => {
		const opened = await openRevision(directory);
		const trailOf = (mailFrom: string) =>
			converse(opened, message({ mailFrom })).trail.filter(({ rule }) => rule.startsWith('failure-'));
		expect(trailOf(`v=17@${host}`)).toMatchObject([
			{ rule: 'failure-reported', text: `A bounce of this message would be reported to replies@${host}.` }
		]);
		expect(trailOf(own)).toEqual([]);
		opened.close();
	});
});

describe('a past revision', () => {
	const play = () => simulate(app, { ...message(), revision: 1 });
	const changed = (answer: Awaited<ReturnType<typeof play>>) =>
		answer.unknowns.find(({ code }) => code === 'files-changed')?.text;

	it('that is as it was made says nothing of changes; one that was changed by hand says which file', async () => {
		expect(changed(await play())).toBeUndefined();
		chmodSync(join(directory, 'shaping.toml'), 0o640);
		appendFileSync(join(directory, 'shaping.toml'), '\n# by hand\n');
		expect(changed(await play())).toContain('(shaping.toml)');
	});

	it.each(['node.toml', 'manifest.json'])('whose %s is damaged is refused, without what stands in it', async (name) => {
		const copy = join(app.env.dataDir, `damaged-${name}`);
		cpSync(directory, copy, { recursive: true });
		writeFileSync(join(copy, name), '{"hash": verifier-text');
		const failure: unknown = await openRevision(copy).catch((error: unknown) => error);
		expect(String(failure)).toContain('cannot be read');
		expect(String(failure)).not.toContain('verifier-text');
	});

	it('without its directory of senders is refused in words', async () => {
		rmSync(join(directory, 'directory.sqlite'));
		const refusal = await refusalOf(play());
		expect(refusal).toMatchObject({ reason: 'cannot-simulate' });
		expect(refusal.message).toContain('directory.sqlite');
		expect(refusal.message).not.toContain(app.env.dataDir);
	});

	it('whose directory is gone is no such revision', async () => {
		rmSync(directory, { recursive: true });
		expect(await refusalOf(play())).toMatchObject({ reason: 'no-such-revision' });
	});
});
