import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp } from '../../../../../tests/support/app.ts';
import type { TestApp } from '../../../../../tests/support/app.ts';
import { estateInput } from '../../../../../tests/support/estate.ts';
import { absentKumod, fillEstate, testHost } from '../../../../../tests/support/policy-app.ts';
import { refusalOf } from '../../../../../tests/support/refusal.ts';
import { applyPending } from '../apply.ts';
import { closeCompiler } from '../compile.ts';
import { getStatus, waitForPending } from '../service.ts';
import { simulate as input } from './inputs.ts';
import { ruleOf } from './rules.ts';
import { closeSimulator, simulate } from './service.ts';
import { openSimulator } from './simulator.ts';

let app: TestApp;
const caller = { actor: 'cli:0', name: 'cli:0', userId: null, sessionId: null };

const opened: TestApp[] = [];
afterAll(async () => {
	for (const each of opened) {
		await closeSimulator(each);
		await closeCompiler(each);
	}
});

async function openEstate(customLua?: string): Promise<void> {
	app = await openTestApp({ host: testHost(), kumod: absentKumod() });
	opened.push(app);
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 3, senders: 60 });
	if (customLua === undefined) return;
	const policy = join(app.env.kumomtaRoot, 'etc/policy');
	mkdirSync(policy, { recursive: true });
	writeFileSync(join(policy, 'custom.lua'), customLua, { mode: 0o644 });
}

const own = 's000001@d00000.example';
const smtp = (listener: string, authenticatedAs?: string, clientAddress = '203.0.113.5') => ({
	via: 'smtp' as const,
	listener,
	clientAddress,
	...(authenticatedAs === undefined ? {} : { authenticatedAs })
});
const http = (clientAddress: string, authenticatedAs?: string) => ({
	via: 'http' as const,
	clientAddress,
	...(authenticatedAs === undefined ? {} : { authenticatedAs })
});
const from = (value: string) => [
	{ name: 'From', value },
	{ name: 'Subject', value: 'hello' }
];
const message = (changes: Record<string, unknown> = {}) =>
	input.parse({
		arrival: smtp('submission', own),
		mailFrom: own,
		recipients: ['someone@gmail.com'],
		headers: from(own),
		...changes
	});
const play = (changes?: Record<string, unknown>) => simulate(app, message(changes));

describe('what must never happen', () => {
	it('a custom.lua that loops holds the server, or the next simulation', async () => {
		await openEstate('while true do pcall(function() while true do end end) end');
		const pending = await waitForPending(app);
		const directory = join(app.env.dataDir, pending.manifest.revision);
		mkdirSync(directory);
		await pending.writeTo(directory, { revision: pending.manifest.revision });
		pending.release();
		const simulator = openSimulator(directory, { timeoutMs: 1500 });
		expect(await refusalOf(simulator.run(message()))).toMatchObject({ reason: 'simulation-timeout' });
		writeFileSync(join(directory, 'custom.lua'), 'return {}');
		expect(await simulator.run(message())).toMatchObject({ verdict: 'accepted' });
		await simulator.close();
	});

	it('a custom.lua that eats memory takes the server with it', async () => {
		await openEstate('local all = {} for i = 1, 1e9 do all[i] = ("x"):rep(1e6) .. i end');
		expect(await refusalOf(play())).toMatchObject({ reason: 'cannot-simulate' });
	});

	it('a custom.lua reads a file outside its revision, or says where it lies', async () => {
		await openEstate(`dofile('${join(process.cwd(), 'package.json')}')`);
		const refusal = await refusalOf(play());
		expect(refusal).toMatchObject({ reason: 'cannot-simulate' });
		expect(refusal.message).toContain('custom.lua:1: cannot open');
		expect(refusal.message).not.toMatch(/pending-policy|simulated-/);
	});

	it('a verifier comes out', async () => {
		await openEstate();
		const answers = JSON.stringify([await play(), await play({ arrival: http('127.0.0.1', own) })]);
		for (const { verifier } of estateInput({ domains: 3, senders: 60 }).senders)
			expect(answers).not.toContain(verifier?.hash.slice(0, 16));
	});

	it('anything is changed', async () => {
		await openEstate();
		const before = await getStatus(app, { waitMs: 5000 });
		await play();
		expect(await getStatus(app, { waitMs: 5000 })).toEqual(before);
	});
});

describe('a message', () => {
	beforeAll(() => openEstate());
	it('that is accepted: where it waits, how it leaves, what signs it, when it is tried', async () => {
		const answer = await play();
		expect(answer).toMatchObject({ revision: null, engine: 'double', verdict: 'accepted' });
		expect(answer.hash).toBe((await getStatus(app, { waitMs: 5000 })).pendingHash);
		expect(answer.trail.map(({ stage, outcome }) => `${stage} ${outcome}`)).toEqual([
			'connection passed',
			'auth passed',
			'mail-from passed',
			'rcpt-to passed',
			'data passed',
			'sign noted',
			'queue noted',
			'route noted'
		]);
		expect(answer.recipients[0]).toMatchObject({
			recipient: 'someone@gmail.com',
			accepted: true,
			reply: { code: 250 },
			message: {
				kind: 'outbound',
				tenant: 's000001.d00000.example',
				queue: 's000001.d00000.example@gmail.com',
				pool: 'main',
				sources: [{ name: 'Out 1', address: '192.0.2.1', ehloDomain: 'out1.example.net', weight: 1, share: 1 }],
				signatures: [{ domain: 'd00000.example', selector: 'k1', algorithm: 'rsa-2048' }],
				retry: { intervalSeconds: 1200, maxAgeSeconds: 604_800 },
				rates: []
			}
		});
		expect(answer.recipients[0]?.message?.retry?.attemptsAfter.slice(0, 4)).toEqual([0, 1200, 3600, 8400]);
		expect(answer.recipients[0]?.message?.signatures[0]?.headers).toContain('Subject');
		expect(answer.unknowns.map(({ code }) => code)).toContain('path-limits');
	});

	it('of a sender with a limit and an age of its own', async () => {
		const address = 's000021@d00001.example';
		const answer = await play({ arrival: smtp('submission', address), mailFrom: address, headers: from(address) });
		expect(answer.recipients[0]?.message).toMatchObject({
			rates: [
				{ scope: 'sender', limit: '2000/h' },
				{ scope: 'queue', limit: '2000/h' }
			],
			retry: { maxAgeSeconds: 259_200 }
		});
	});

	it.each<[what: string, changes: Record<string, unknown>, code: number, rule: string]>([
		['nobody logged in', { arrival: smtp('submission') }, 530, 'login-needed'],
		['an unknown user', { arrival: smtp('submission', 'nobody@d00000.example') }, 535, 'login-wrong'],
		['a login where none is taken', { arrival: smtp('inbound', own) }, 503, 'no-logins-here'],
		['a paused sender', { arrival: smtp('submission', 's000049@d00002.example') }, 450, 'sender-paused'],
		['a foreign MAIL FROM', { mailFrom: 'a@other.example' }, 550, 'return-path-foreign'],
		['the null sender', { mailFrom: '' }, 550, 'null-sender'],
		['a foreign From', { headers: from('s000002@d00000.example') }, 550, 'from-foreign'],
		['no From', { headers: [] }, 550, 'from-count'],
		['two From', { headers: [...from(own), ...from(own)] }, 550, 'from-count'],
		['a list in From', { headers: from(`${own}, x@y.example`) }, 550, 'from-form'],
		['a stranger at the inbound listener', { arrival: smtp('inbound') }, 550, 'no-relay'],
		['HTTP from elsewhere', { arrival: http('203.0.113.5') }, 401, 'not-trusted'],
		['HTTP with an unknown user', { arrival: http('127.0.0.1', 'nobody@x.example') }, 401, 'login-wrong'],
		[
			'HTTP with an unknown From',
			{ arrival: http('127.0.0.1'), headers: from('no@d00000.example') },
			550,
			'from-unknown'
		]
	])('that is refused: %s', async (_, changes, code, rule) => {
		const { arrival } = { arrival: undefined, ...changes } as { arrival?: { authenticatedAs?: string } };
		const user = arrival?.authenticatedAs;
		const answer = await play({ ...(user === undefined ? {} : { mailFrom: user, headers: from(user) }), ...changes });
		expect(answer).toMatchObject({ verdict: 'refused', recipients: [{ accepted: false, reply: { code }, rule }] });
		expect(answer.trail.at(-1)).toMatchObject({ outcome: 'refused', rule, reply: { code } });
		expect(answer.recipients[0]).not.toHaveProperty('message');
	});

	it('for several recipients, one of them reserved', async () => {
		const answer = await play({ recipients: ['a@gmail.com', 'b@x.log_hook', 'c@web.de'] });
		expect(answer.verdict).toBe('partly');
		expect(answer.recipients.map(({ accepted, rule }) => [accepted, rule])).toEqual([
			[true, 'accepted'],
			[false, 'reserved-domain'],
			[true, 'accepted']
		]);
	});

	it('to a bounce account, a report without one, and neither', async () => {
		const report = [
			{ name: 'From', value: 'mailer-daemon@gmail.com' },
			{ name: 'Content-Type', value: 'multipart/report; report-type=delivery-status' }
		];
		const arrival = smtp('inbound');
		const to = async (recipient: string, headers: unknown) =>
			(await play({ arrival, mailFrom: '', recipients: [recipient], headers })).recipients[0];
		expect(await to('replies+x@bounce.d00000.example', report)).toMatchObject({
			message: { kind: 'mailbox', pool: null }
		});
		expect(await to('any=one@bounce.d00000.example', report)).toMatchObject({ message: { kind: 'report-log' } });
		expect(await to('any=one@bounce.d00000.example', from('a@gmail.com'))).toMatchObject({ rule: 'reports-only' });
	});

	it('by a listener that the revision does not have: an error beside the field', async () => {
		expect(await refusalOf(play({ arrival: smtp('relay') }))).toMatchObject({
			code: 'BAD_REQUEST',
			fieldErrors: { 'arrival.listener': [expect.stringContaining('no such listener')] }
		});
	});

	it('with hostile text is data: the same answer, whatever a header says', async () => {
		const value = `]] os.exit() --[[ "'; DROP TABLE sender; -- {{ x }} \u202e`;
		const plain = await play();
		const hostile = await play({ headers: [...from(own), { name: 'X-Note', value }] });
		expect(hostile).toEqual(plain);
	});
});

it('answers for a past revision with the data it had', async () => {
	await openEstate();
	const { pendingHash } = await getStatus(app, { waitMs: 5000 });
	const applied = await applyPending(app, caller, { expectedHash: pendingHash ?? '' });
	expect(applied).toMatchObject({ outcome: 'applied', revision: 1 });
	await app.database.client.execute({ sql: "UPDATE senders SET status = 'paused' WHERE address = ?", args: [own] });
	expect(await play()).toMatchObject({ revision: null, verdict: 'refused' });
	expect(await play({ revision: 1 })).toMatchObject({ revision: 1, hash: pendingHash, verdict: 'accepted' });
	expect(await refusalOf(play({ revision: 9 }))).toMatchObject({ reason: 'no-such-revision' });
});

it('asks the hooks of custom.lua', async () => {
	await openEstate(`return {
		on_message = function(msg) msg:set_meta('campaign', 'spring') end,
		queue_config = function(params) params.retry_interval = '5 minutes' return params end
	}`);
	expect((await play()).recipients[0]?.message).toMatchObject({
		campaign: 'spring',
		queue: 'spring:s000001.d00000.example@gmail.com',
		retry: { intervalSeconds: 300 }
	});
});

it('has a rule for every refusal of the program', () => {
	const program = readFileSync(new URL('../program.lua', import.meta.url), 'utf8');
	const sites = [...program.matchAll(/(?:refuse|kumo\.disconnect|kumo\.reject)\(\d{3}, '([^']+)'/g)].map(
		([, text]) => text
	);
	expect(sites.length).toBe([...program.matchAll(/(?:refuse|kumo\.disconnect|kumo\.reject)\(\d/g)].length);
	expect(sites.length).toBeGreaterThan(20);
	for (const text of sites) expect([text, ruleOf({ text: text ?? '' })]).not.toContain('custom');
});
