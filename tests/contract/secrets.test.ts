import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareSetupCode } from '../../src/lib/server/auth/setup-code.ts';
import type { Caller } from '../../src/lib/server/core/trpc.ts';
import { closeCompiler } from '../../src/lib/server/policy/compile.ts';
import { policyRoots } from '../../src/lib/server/policy/roots.ts';
import { openTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { canariesIn } from '../support/canaries.ts';
import type { Canary } from '../support/canaries.ts';
import { callOverHttp, procedures, textFieldsOf } from '../support/contract.ts';
import type { Answer, Parsed } from '../support/contract.ts';
import { absentKumod, testHost } from '../support/policy-app.ts';

/**
 * One life of a panel with a secret in every field that takes one, through success and every kind of refusal; then a
 * search for each of them, and for what is stored in their place, wherever they could have gone.
 */

let app: TestApp;
let user: Caller | null = null;
const canaries: Canary[] = [];
/** Every answer, without the field in which the panel shows a password it made, once. */
const answers: { path: string; text: string }[] = [];
/** Salts, verifiers, hashes and sealed values, as they stood in the database at any time. */
const stored = new Map<string, string>();
const usedFields = new Set<string>();

/** A new secret: valid wherever a password is wanted. */
function secret(name: string): string {
	const text = `Canary ${name} ${randomBytes(9).toString('hex')}`;
	canaries.push({ name, text });
	return text;
}

/** A private key whose text is a secret, in the form given and in the one that is stored. */
function secretPem(name: string, type: 'pkcs8' | 'pkcs1'): string {
	const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
	const lines = (format: 'pkcs8' | 'pkcs1') => privateKey.export({ type: format, format: 'pem' }).toString();
	// The first lines hold the modulus, which is published.
	for (const form of ['pkcs8', 'pkcs1'] as const)
		canaries.push({ name: `${name} ${form}`, text: lines(form).split('\n')[15]! });
	return lines(type);
}

async function call(path: string, input?: unknown, who: { local?: Caller | null } = {}): Promise<Answer> {
	const answer = await callOverHttp(app, path, input, { local: user, ...who });
	const shown = answer.data?.password as string | undefined;
	if (shown !== undefined) canaries.push({ name: `${path} generated`, text: shown });
	const token = answer.data?.token as string | undefined;
	if (token !== undefined) canaries.push({ name: `${path} token`, text: token });
	const text = [shown, token].reduce<string>((rest, once) => (once ? rest.replace(once, '') : rest), answer.text);
	answers.push({ path, text });
	for (const [field, value] of Object.entries((input ?? {}) as Record<string, unknown>))
		if (JSON.stringify(value)?.match(/Canary|PRIVATE KEY/)) usedFields.add(`${path} ${field}`);
	await rememberStored();
	return answer;
}

const storedColumns = [
	['users', 'password_hash'],
	['sessions', 'token_hash'],
	['senders', 'password_salt'],
	['senders', 'password_verifier'],
	['bounce_accounts', 'password_hash'],
	['dkim_keys', 'sealed_private_key'],
	['dkim_keys', 'private_key_hash'],
	['settings', 'ai_api_key'],
	['settings', 'http_api_password'],
	['import_parts', 'sealed_text']
] as const;

async function rememberStored(): Promise<void> {
	for (const [table, column] of storedColumns) {
		const { rows } = await app.database.client.execute(`SELECT ${column} AS value FROM ${table}`);
		for (const { value } of rows) if (typeof value === 'string') stored.set(value, `${table}.${column}`);
	}
}

async function must(path: string, input?: unknown): Promise<Parsed> {
	const answer = await call(path, input);
	expect(answer.ok, `${path}: ${answer.text}`).toBe(true);
	return answer.data;
}

/** The same call, refused for each reason there is beside the rules of the feature. */
async function spoilt(path: string, input: Record<string, unknown>, field: string): Promise<void> {
	const value = secret(`${path} ${field} refused`);
	const secrets = (text: unknown) => (field === 'ai' ? { ...(input.ai as object), apiKey: text } : text);
	const wrong = [
		{ ...input, [field]: secrets(value), surprise: value },
		{ ...input, [field]: secrets({ nested: value }) },
		{ ...input, [field]: secrets([value]) },
		{ ...input, [field]: secrets(`${value}\n${'x'.repeat(300_000)}`) },
		{ [field]: field === 'ai' ? { apiKey: value } : value },
		{ ...input, [value]: value },
		value,
		[value]
	];
	for (const each of wrong)
		expect((await call(path, each)).ok, `${path} ${JSON.stringify(each).slice(0, 200)}`).toBe(false);
}

beforeAll(async () => {
	app = await openTestApp({ host: testHost(), kumod: absentKumod() });
	await app.database.client.execute('PRAGMA synchronous = off');
	await accounts();
	await settings();
	await items();
	await applied();
	await failures();
	await refusals();
}, 120_000);
afterAll(() => closeCompiler(app));

const email = 'ops@example.net';

async function accounts(): Promise<void> {
	const setup = await prepareSetupCode(app);
	canaries.push({ name: 'setup code', text: setup!.code });
	const password = secret('register password');
	const wrongCode = { email, password, setupCode: secret('wrong setup code') };
	expect((await call('auth.register', wrongCode)).error.reason).toBe('wrong-setup-code');
	expect((await call('auth.register', { email, password: 'password1234', setupCode: setup!.code })).error.code).toBe(
		'BAD_REQUEST'
	);
	const { user: made } = await must('auth.register', { email, password, setupCode: setup!.code });
	const { rows } = await app.database.client.execute('SELECT id FROM sessions');
	user = { actor: made.id, name: email, userId: made.id, sessionId: rows[0]?.id as string };
	expect((await call('auth.register', { ...wrongCode, setupCode: setup!.code })).error.reason).toBe('already-set-up');
	expect((await call('auth.login', { email, password: secret('wrong password') })).error.reason).toBe('wrong-password');
	await must('auth.login', { email, password });
	const newPassword = secret('new password');
	const change = { currentPassword: secret('wrong current password'), newPassword };
	expect((await call('auth.changePassword', change)).error.reason).toBe('wrong-password');
	const weak = { currentPassword: password, newPassword: `${secret('long password')}${'é'.repeat(60)}` };
	expect((await call('auth.changePassword', weak)).error.code).toBe('BAD_REQUEST');
	await must('auth.changePassword', { currentPassword: password, newPassword });
	expect((await call('auth.login', { email, password })).error.reason).toBe('wrong-password');
	await must('auth.sessions.list');
}

async function settings(): Promise<void> {
	const ai = { provider: 'openai-compatible', baseUrl: 'https://ai.example.net/v1', model: 'large' };
	await must('settings.update', { ai: { ...ai, apiKey: secret('ai key') }, httpApi: 'credential' });
	const moved = { version: 99, ai: { ...ai, apiKey: secret('ai key version moved') } };
	expect((await call('settings.update', moved)).error.reason).toBe('version-moved');
	await must('settings.update', { ai: { ...ai, apiKey: secret('ai key second') } });
	const { rows } = await app.database.client.execute('SELECT http_api_password AS sealed FROM settings');
	const opened = app.keys.panel.open(rows[0]?.sealed as string, 'settings.httpApi.password');
	canaries.push({ name: 'http api password', text: opened.open() });
	await must('settings.get');
}

const ids: Record<string, string> = {};

async function items(): Promise<void> {
	const source = await must('sources.create', { address: '192.0.2.1', ehloDomain: 'out1.example.net' });
	const pool = await must('pools.create', { name: 'main', sources: [{ sourceId: source.id, weight: 1 }] });
	await must('settings.update', { hostname: 'mta.example.net', defaultPoolId: pool.id });
	const domain = await must('domains.create', { name: 'example.com' });
	Object.assign(ids, { pool: pool.id, domain: domain.id });
	await keys(domain.id);
	const sender = { domainId: domain.id, poolId: pool.id };
	const chosen = await must('senders.create', { ...sender, localPart: 'chosen', password: secret('sender chosen') });
	const generated = await must('senders.create', { ...sender, localPart: 'generated' });
	const again = { ...sender, localPart: 'chosen', password: secret('sender duplicate') };
	expect((await call('senders.create', again)).error.reason).toBe('address-taken');
	await must('senders.setPassword', { id: generated.id, password: secret('sender set') });
	await must('senders.setPassword', { id: chosen.id });
	const moved = { id: chosen.id, version: 99, password: secret('sender version moved') };
	expect((await call('senders.setPassword', moved)).error.reason).toBe('version-moved');
	const box = { domainId: domain.id, localPart: 'replies', password: secret('bounce chosen') };
	const bounce = await must('bounces.create', box);
	await must('bounces.create', { domainId: domain.id, localPart: 'generated' });
	const twice = { ...box, password: secret('bounce duplicate') };
	expect((await call('bounces.create', twice)).error.reason).toBe('address-taken');
	await must('bounces.setPassword', { id: bounce.id, password: secret('bounce set') });
	await must('bounces.setPassword', { id: bounce.id });
	await must('bounces.checkLogin', { id: bounce.id, password: secret('bounce tried') });
	await must('feedback.parse', { text: secret('pasted report') });
	Object.assign(ids, { sender: chosen.id, bounce: bounce.id });
	await must('senders.list');
	await must('senders.get', { id: chosen.id });
	await must('bounces.list');
	await must('domains.dns', { id: domain.id });
	await uploads();
}

async function keys(domainId: string): Promise<void> {
	const key = await must('dkim.import', { domainId, selector: 'k1', pem: secretPem('key', 'pkcs1') });
	await must('dkim.activate', { id: key.id });
	const used = { domainId, selector: 'k1', pem: secretPem('key of a used selector', 'pkcs8') };
	expect((await call('dkim.import', used)).error.reason).toBe('selector-used');
	const cut = { domainId, selector: 'k2', pem: secretPem('damaged key', 'pkcs8').replace(/\n.*\n(-----END)/, '\n$1') };
	expect((await call('dkim.import', cut)).error.reason).toBe('not-a-private-key');
	expect((await call('dkim.import', { ...cut, pem: secret('no key') })).error.reason).toBe('not-a-private-key');
	await must('dkim.list', { domainId });
}

async function uploads(): Promise<void> {
	const { id } = await must('imports.create', { kind: 'domains-and-senders' });
	const header = 'domain,sender,pool,password';
	const wrong = `example.com,"${secret('import short line')}`;
	const text = `${header}\nexample.com,first,main,${secret('import password')}\n`;
	await must('imports.append', {
		id,
		part: 0,
		text: `${text}example.com,second,main,${secret('import é wrong')}é\n${wrong}`
	});
	const { hash } = await must('imports.preview', { id });
	expect((await call('imports.commit', { id, expectedHash: hash })).error.reason).toBe('import-has-errors');
	await must('imports.append', { id, part: 0, text });
	const right = await must('imports.preview', { id });
	await must('imports.commit', { id, expectedHash: right.hash });
	expect((await call('imports.append', { id, part: 0, text: secret('import committed') })).error.reason).toBe(
		'import-committed'
	);
	const other = await must('imports.create', { kind: 'domains-and-senders' });
	await must('imports.append', {
		id: other.id,
		part: 0,
		text: `${header}\nexample.com,third,main,${secret('import kept')}`
	});
	await must('imports.preview', { id: other.id });
	Object.assign(ids, { import: other.id });
}

async function applied(): Promise<void> {
	await must('policy.status');
	const { hash } = await must('policy.preview');
	await must('policy.changes');
	const { applyId, outcome, revision } = await must('policy.apply', { expectedHash: hash });
	expect(outcome).toBe('applied');
	await must('policy.progress', { applyId });
	await must('senders.setPassword', { id: ids.sender, password: secret('sender after the apply') });
	const { items: changes } = await must('policy.changes');
	expect(changes.map(({ text }: { text: string }) => text)).toEqual(['Sender chosen@example.com: password changed']);
	await must('policy.preview');
	await must('policy.changes', { to: revision });
	await must('policy.revision', { number: revision });
	await must('policy.revisions');
	await must('policy.status');
}

/** What the database refuses in the middle of a write: its own error holds every parameter of the statement. */
async function failures(): Promise<void> {
	const broken = ['users', 'senders', 'bounce_accounts', 'settings', 'import_parts', 'dkim_keys'];
	const { client } = app.database;
	for (const table of broken)
		for (const event of ['INSERT', 'UPDATE'])
			await client.execute(
				`CREATE TRIGGER broken_${table}_${event} BEFORE ${event} ON ${table} BEGIN SELECT * FROM nowhere; END`
			);
	const change = { domainId: ids.domain, poolId: ids.pool };
	const calls: [string, Record<string, unknown>][] = [
		['senders.create', { ...change, localPart: 'broken', password: secret('sender broken') }],
		['senders.create', { ...change, localPart: 'broken' }],
		['senders.setPassword', { id: ids.sender, password: secret('sender set broken') }],
		['bounces.create', { domainId: ids.domain, localPart: 'broken', password: secret('bounce broken') }],
		['bounces.setPassword', { id: ids.bounce, password: secret('bounce set broken') }],
		['settings.update', { ai: { provider: 'openai', apiKey: secret('ai key broken') } }],
		['imports.append', { id: ids.import, part: 1, text: secret('import broken') }],
		['dkim.import', { domainId: ids.domain, selector: 'broken', pem: secretPem('key broken', 'pkcs8') }]
	];
	for (const [path, input] of calls) expect((await call(path, input)).error.code, path).toBe('INTERNAL_SERVER_ERROR');
	expect(app.logLines.filter((line) => line.includes('procedure failed'))).toHaveLength(calls.length);
	for (const table of broken)
		for (const event of ['INSERT', 'UPDATE']) await client.execute(`DROP TRIGGER broken_${table}_${event}`);
}

async function refusals(): Promise<void> {
	const change = { domainId: ids.domain, poolId: ids.pool };
	await spoilt('auth.register', { email, setupCode: '0' }, 'password');
	await spoilt('auth.register', { email, password: 'x' }, 'setupCode');
	await spoilt('auth.login', { email }, 'password');
	await spoilt('auth.changePassword', { newPassword: 'x' }, 'currentPassword');
	await spoilt('auth.changePassword', { currentPassword: 'x' }, 'newPassword');
	await spoilt('settings.update', { ai: { provider: 'openai' } }, 'ai');
	await spoilt('senders.create', { ...change, localPart: 'spoilt' }, 'password');
	await spoilt('senders.setPassword', { id: ids.sender, version: 0 }, 'password');
	await spoilt('bounces.create', { domainId: ids.domain, localPart: 'spoilt' }, 'password');
	await spoilt('bounces.setPassword', { id: ids.bounce, version: 0 }, 'password');
	await spoilt('bounces.checkLogin', { id: ids.bounce, version: 0 }, 'password');
	await spoilt('dkim.import', { domainId: ids.domain, selector: 'spoilt' }, 'pem');
	await spoilt('imports.append', { id: ids.import, part: 1 }, 'text');
	for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false)
		cursor =
			(await must('audit.list', { limit: 200, ...(cursor !== undefined && { cursor }) })).nextCursor ?? undefined;
}

it('a body that is no JSON is not repeated', async () => {
	const text = secret('broken body');
	for (const body of [`{"password":"${text}`, `${text}`, `{"password":${text}}`]) {
		const answer = await callOverHttp(app, 'auth.login', undefined, { local: null, body });
		expect(answer.ok).toBe(false);
		answers.push({ path: 'auth.login', text: answer.text });
	}
});

const secretFields = /password|secret|token|pem|apikey|code|^text$/i;

it('every field that takes a secret was given one', () => {
	const fields = procedures.flatMap(({ path, input }) =>
		textFieldsOf(input)
			.filter(({ path: steps }) => secretFields.test(String(steps.at(-1))))
			.map(({ path: steps }) => `${path} ${steps[0]!}`)
	);
	expect(fields.length).toBeGreaterThanOrEqual(12);
	expect(fields.filter((field) => !usedFields.has(field))).toEqual([]);
	expect(new Set(stored.values())).toEqual(new Set(storedColumns.map((names) => names.join('.'))));
});

it('no answer and no error holds one, nor what is stored in its place', () => {
	for (const { path, text } of answers) {
		expect(canariesIn(text, canaries), `${path}: ${text.slice(0, 500)}`).toEqual([]);
		for (const [value, column] of stored) expect(text.includes(value), `${path} shows ${column}`).toBe(false);
	}
});

it('no line of the log does', () => {
	expect(app.logLines.length).toBeGreaterThan(0);
	for (const line of app.logLines) {
		expect(canariesIn(line, canaries), line.slice(0, 500)).toEqual([]);
		for (const [value, column] of stored) expect(line.includes(value), `${line} shows ${column}`).toBe(false);
	}
});

it('no row of the audit log does', async () => {
	const { rows } = await app.database.client.execute('SELECT * FROM audit_entries');
	expect(rows.length).toBeGreaterThan(100);
	for (const row of rows) {
		const text = JSON.stringify(row);
		expect(canariesIn(text, canaries), text).toEqual([]);
		for (const [value, column] of stored) expect(text.includes(value), `${text} shows ${column}`).toBe(false);
	}
});

const filesBelow = (directory: string): string[] =>
	readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name));

it('no file of the revision does, but the key file that KumoMTA signs with, closed to others', () => {
	const roots = policyRoots(app.env.kumomtaRoot);
	const files = filesBelow(roots.root);
	const keyFiles = files.filter((file) => file.startsWith(roots.dkim));
	expect(keyFiles.map((file) => file.slice(roots.dkim.length))).toEqual(['/example.com/k1.key']);
	expect(statSync(keyFiles[0]!).mode & 0o777).toBe(0o600);
	expect(canariesIn(readFileSync(keyFiles[0]!), canaries)).toEqual(['key pkcs8']);
	const others = files.filter((file) => !keyFiles.includes(file));
	expect(others.length).toBeGreaterThan(4);
	for (const file of others) {
		const bytes = readFileSync(file);
		expect(canariesIn(bytes, canaries), file).toEqual([]);
		if (file.endsWith('/directory.sqlite')) continue;
		for (const [value, column] of stored) expect(bytes.includes(value), `${file} shows ${column}`).toBe(false);
	}
});

it('no byte of the data directory does, not even of what was removed', async () => {
	await closeCompiler(app);
	app.close();
	const files = filesBelow(app.env.dataDir).filter((file) => !file.startsWith(app.env.kumomtaRoot));
	expect(files.some((file) => file.endsWith('panel.db'))).toBe(true);
	expect(files.some((file) => file.endsWith('setup-code'))).toBe(false);
	const sealedByDesign = /^(?:auth\.\w+ token|key .*|damaged key .*)$/;
	for (const file of files) {
		const bytes = readFileSync(file);
		expect(
			canariesIn(
				bytes,
				canaries.filter(({ name }) => !sealedByDesign.test(name))
			),
			file
		).toEqual([]);
		for (const { name, text } of canaries) expect(bytes.includes(text), `${file} holds ${name}`).toBe(false);
	}
});
