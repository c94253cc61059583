import { afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../../tests/support/app.ts';
import { makeCertificate } from '../../../../tests/support/certificate.ts';
import { startKumodDouble } from '../../../../tests/support/kumod-http-double.ts';
import type { KumodDouble } from '../../../../tests/support/kumod-http-double.ts';
import { nobodyThere } from '../../../../tests/support/policy-app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { startSmtpDouble } from '../../../../tests/support/smtp-double.ts';
import { Secret } from '../core/secret.ts';
import { createKumod } from './client.ts';
import { linesOf, sampleOf } from './metrics.ts';

/** Of the endpoints in KumoMTA's OpenAPI document (docs/reference/kumod.openapi.json), those that the panel calls. */
const published = [
	'GET /api/check-liveness/v1',
	'POST /api/admin/bump-config-epoch',
	'GET /api/machine-info',
	'GET /metrics'
];

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0)) await close();
});

async function double(): Promise<KumodDouble> {
	const started = await startKumodDouble();
	closers.push(started.close);
	return started;
}

describe('KumoMTA’s HTTP API', () => {
	it('is called by published endpoints only', async () => {
		const { url, requests } = await double();
		const kumod = createKumod(url);
		expect(await kumod.checkLiveness()).toEqual({ state: 'alive' });
		await kumod.bumpConfigEpoch();
		expect(await kumod.getMachine()).toEqual({ version: '2026.03.04-bb93ecb1', onlineSince: '2026-01-05T12:00:00Z' });
		expect(await kumod.getLuaLoadCount()).toBe(4);
		expect(requests).toEqual(published);
	});

	it.each(['shutting down', 'load shedding', 'waiting for spool startup', 'storage is too full'])(
		'says why it is not ready: %s',
		async (reason) => {
			const { url, script } = await double();
			script.notAlive = reason;
			expect(await createKumod(url).checkLiveness()).toEqual({ state: 'not-ready', detail: reason });
		}
	);

	it('may start slowly', async () => {
		const { url, script } = await double();
		script.startsSlowly = 2;
		const kumod = createKumod(url);
		const states = [await kumod.checkLiveness(), await kumod.checkLiveness(), await kumod.checkLiveness()];
		expect(states.map(({ state }) => state)).toEqual(['not-ready', 'not-ready', 'alive']);
	});

	it('may be away', async () => {
		const kumod = createKumod(nobodyThere);
		expect(await kumod.checkLiveness()).toMatchObject({ state: 'unreachable' });
		expect(await refusalOf(kumod.bumpConfigEpoch())).toMatchObject({ reason: 'kumomta-unreachable' });
	});

	it('turns its plain-text errors into ours, on one line', async () => {
		const { url, script } = await double();
		script.bumpFails = 'Error: no\r\nX-Forged: 1\u202e';
		const refusal = await refusalOf(createKumod(url).bumpConfigEpoch());
		expect(refusal).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'kumomta-refused' });
		expect(refusal.message).toContain('HTTP 500: Error: no X-Forged: 1');
		expect(refusal.message).not.toMatch(/[\r\n\u202e]/);
	});

	it('signs in with the panel’s credential and never shows it', async () => {
		const { url, script } = await double();
		script.credential = 'canary-password';
		const kumod = createKumod(url);
		const refusal = await refusalOf(
			kumod.bumpConfigEpoch({ user: 'kumomta-ui', password: new Secret('wrong-canary') })
		);
		expect(refusal.message).toContain('HTTP 401');
		expect(refusal.message).not.toContain('canary');
		await kumod.bumpConfigEpoch({ user: 'kumomta-ui', password: new Secret('canary-password') });
	});
});

describe('a line of metrics', () => {
	it.each([
		['lua_load_count 3', { name: 'lua_load_count', labels: '', value: 3 }],
		['q{queue="a"b}c"} 5', { name: 'q', labels: 'queue="a"b}c"', value: 5 }],
		['q{} 5 1700000000', { name: 'q', labels: '', value: 5 }],
		['# TYPE q counter', undefined],
		['', undefined],
		['q{queue="open', undefined],
		['q', undefined],
		['q NaN', undefined]
	])('%s', (line, sample) => {
		expect(sampleOf(line)).toEqual(sample);
	});

	it('is found across pieces, and one without an end is dropped', async () => {
		const pieces = ['a 1\nb', ' 2\n', 'x'.repeat(200), 'x'.repeat(50) + '\n', 'c 3'].map((text) => Buffer.from(text));
		const lines: string[] = [];
		for await (const line of linesOf(streamOf(pieces), 100)) lines.push(line);
		expect(lines).toEqual(['a 1', 'b 2', 'c 3']);
	});
});

async function* streamOf(pieces: Buffer[]): AsyncGenerator<Uint8Array> {
	for (const piece of pieces) yield Promise.resolve(piece);
}

describe('the greeting of a listener', () => {
	it.each([
		['greets', false, { ok: true, banner: '220 mta.example.net KumoMTA' }],
		['greets', true, { ok: true }],
		['no-starttls', false, { ok: true }],
		['no-starttls', true, { ok: false, detail: 'it does not offer STARTTLS' }],
		['broken-tls', true, { ok: false }],
		['refuses', false, { ok: false, detail: 'it answered: 421 4.3.0 mta technical difficulties' }],
		['hangs-up', false, { ok: false, detail: 'the connection was closed' }],
		['silent', false, { ok: false, detail: 'no answer in 300 ms' }]
	] as const)('%s, with TLS: %s', async (behaviour, withTls, wanted) => {
		const certificate = withTls ? makeCertificate(temporaryDirectory()) : undefined;
		const smtp = await startSmtpDouble(behaviour, certificate);
		closers.push(smtp.close);
		const timeoutMs = behaviour === 'silent' ? 300 : 5000;
		const greeting = await createKumod(nobodyThere).greet({
			address: '127.0.0.1',
			port: smtp.port,
			withTls,
			timeoutMs
		});
		expect(greeting).toMatchObject(wanted);
	});

	it('is missing where nobody listens', async () => {
		const smtp = await startSmtpDouble('greets');
		await smtp.close();
		const listener = { address: '0.0.0.0', port: smtp.port, withTls: false, timeoutMs: 1000 };
		expect(await createKumod(nobodyThere).greet(listener)).toMatchObject({ ok: false });
	});
});
