import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../../tests/support/app.ts';
import { makeDovecotDouble } from '../../../../tests/support/dovecot-double.ts';
import type { DovecotDouble } from '../../../../tests/support/dovecot-double.ts';
import { testHost } from '../../../../tests/support/policy-app.ts';
import { prepareMailboxes } from './mailboxes.ts';
import { dovecotPlace } from './roots.ts';
import type { DovecotPlace } from './roots.ts';
import { findDovecotDrift } from './settle.ts';
import { prepareDovecot } from './stage.ts';
import type { DovecotRevision } from './stage.ts';
import { putDovecotBack, swapDovecot } from './swap.ts';

let double: DovecotDouble;
let place: DovecotPlace;

beforeEach(() => {
	const root = temporaryDirectory();
	double = makeDovecotDouble(join(root, 'programs'));
	place = dovecotPlace(testHost(), {
		dovecotEtc: join(root, 'etc'),
		dovecotBin: double.bin,
		mailRoot: join(root, 'mail'),
		imapPort: 993,
		pop3Port: 995
	});
});

const login = { id: 'aaaaaaaaaaaaaaaa', address: 'a@b.example', hash: `$2b$10$${'a'.repeat(53)}`, quota: 1 };
const revision = (fields: Partial<DovecotRevision> = {}): DovecotRevision => ({
	revision: '1-abcdefabcdef',
	logins: [login],
	tls: { certificate: '/x/fullchain.pem', privateKey: '/x/privkey.pem' },
	...fields
});
const conf = () => join(place.roots.etc, 'dovecot.conf');
function putForeign(text = 'protocols = imap\n'): void {
	mkdirSync(place.roots.etc, { recursive: true });
	writeFileSync(conf(), text);
}

describe('Dovecot is left alone, with a sentence', () => {
	it.each<[string, () => void | Partial<DovecotPlace>, RegExp, Partial<DovecotRevision>?]>([
		['where it is not installed', () => ({ bin: undefined }), /is not installed here/],
		['while nobody can sign in', () => {}, /No bounce account has a password yet/, { logins: [] }],
		['when its configuration is somebody’s own', () => putForeign(), /move \S+ away and apply again/],
		[
			'when it is 2.4',
			() => double.set({ version: '2.4.1-4 (7d8c0e5759)' }),
			/another syntax[\s\S]*Install Dovecot 2\.3/
		],
		[
			'without the user that reads mail',
			() => ({ host: { ...testHost(), findUser: () => undefined } }),
			/useradd --system .* vmail/
		]
	])('%s', async (_, arrange, sentence, fields) => {
		const given = { ...place, ...arrange() };
		const before = existsSync(conf()) ? readFileSync(conf(), 'utf8') : undefined;
		const { status, output, staged } = await prepareDovecot(given, revision(fields));
		expect([status, staged]).toEqual(['skipped', undefined]);
		expect(output).toMatch(sentence);
		expect(existsSync(place.roots.revisions)).toBe(false);
		expect(existsSync(conf()) ? readFileSync(conf(), 'utf8') : undefined).toBe(before);
	});
});

it('refused by Dovecot leaves nothing behind that could go live', async () => {
	double.set({ refuses: 'Error in configuration file' });
	const { status, output, staged } = await prepareDovecot(place, revision());
	expect([status, staged]).toEqual(['failed', undefined]);
	expect(output).toMatch(/^Dovecot refuses its new configuration: doveconf: Fatal: Error in configuration file/);
	expect(readdirSync(place.roots.revisions)).toEqual([]);
	expect(existsSync(conf())).toBe(false);
});

it('says which accounts cannot sign in, and that nothing listens without a certificate', async () => {
	const odd = { ...login, id: 'bbbbbbbbbbbbbbbb', address: '#b@b.example' };
	const { output } = await prepareDovecot(place, revision({ logins: [login, odd], tls: null }));
	expect(output).toMatch(/: 1 account may sign in\.\n.*listens nowhere.*\n.*#b@b\.example/);
});

it('goes live by one rename, is put back byte for byte, and never over somebody else’s file', async () => {
	const { staged } = await prepareDovecot(place, revision());
	if (staged === undefined) throw new Error('nothing was staged');
	await swapDovecot(place, staged);
	expect(await findDovecotDrift(place, '1-abcdefabcdef', () => true)).toEqual([]);
	const first = readFileSync(conf(), 'utf8');
	const next = await prepareDovecot(place, revision({ revision: '2-abcdefabcdef', logins: [] }));
	if (next.staged === undefined) throw new Error('nothing was staged');
	await swapDovecot(place, next.staged);
	expect(readFileSync(`${conf()}.previous`, 'utf8')).toBe(first);
	await putDovecotBack(place, next.staged);
	expect(readFileSync(conf(), 'utf8')).toBe(first);
	writeFileSync(conf(), '# mine\n');
	await putDovecotBack(place, next.staged);
	await expect(swapDovecot(place, next.staged)).rejects.toMatchObject({ detail: { reason: 'dovecot-moved' } });
	expect(readFileSync(conf(), 'utf8')).toBe('# mine\n');
});

it.each<[string, string, (path: string) => void]>([
	['changed', 'dovecot.conf', (path) => writeFileSync(path, `${readFileSync(path, 'utf8')}# by hand\n`)],
	['changed', 'kumomta-ui/1-abcdefabcdef/passwd', (path) => writeFileSync(path, 'root:{PLAIN}x::::::\n')]
])('sees that a file was %s: %s', async (what, path, change) => {
	const { staged } = await prepareDovecot(place, revision());
	if (staged !== undefined) await swapDovecot(place, staged);
	change(join(place.roots.etc, path));
	expect(await findDovecotDrift(place, '1-abcdefabcdef', () => true)).toEqual([{ path, what }]);
});

it('is missing where accounts may sign in and no file says so yet', async () => {
	expect(await findDovecotDrift(place, '1-abcdefabcdef', () => true)).toEqual([
		{ path: 'dovecot.conf', what: 'missing' }
	]);
	expect(await findDovecotDrift(place, '1-abcdefabcdef', () => false)).toEqual([]);
	putForeign();
	expect(await findDovecotDrift(place, '1-abcdefabcdef', () => true)).toEqual([]);
});

describe('mailboxes', () => {
	const ids = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'];
	const prepare = (some = ids) => prepareMailboxes(place.host, place.mailRoot, some);

	it('are made once, shared with the group, below a directory that nobody can list', async () => {
		expect([await prepare(), await prepare(), await prepare([...ids, 'cccccccccccccccc'])]).toEqual([2, 0, 1]);
		expect(lstatSync(place.mailRoot).mode & 0o7777).toBe(0o711);
		for (const part of ['', 'cur', 'new', 'tmp'])
			expect(lstatSync(join(place.mailRoot, ids[0] ?? '', part)).mode & 0o7777).toBe(0o2771);
	});

	it('that lost a part or their access get it back; what else lies there stays', async () => {
		await prepare();
		const [first = ''] = ids;
		writeFileSync(join(place.mailRoot, first, 'new', 'mail'), 'x');
		mkdirSync(join(place.mailRoot, 'dddddddddddddddd'));
		await prepare();
		expect(readFileSync(join(place.mailRoot, first, 'new', 'mail'), 'utf8')).toBe('x');
		expect(readdirSync(place.mailRoot).sort()).toEqual([...ids, 'dddddddddddddddd']);
	});

	it.each(['../elsewhere', '', '.', 'aaaaaaaaaaaaaaa/', 'AAAAAAAAAAAAAAAA'])('are never made for %j', async (id) => {
		await expect(prepare([id])).rejects.toThrow('not the id of a bounce account');
		expect(existsSync(place.mailRoot)).toBe(false);
	});

	it.each(['', 'cur', 'new', 'tmp'])('are not made through a link at %j', async (part) => {
		await prepare([ids[1] ?? '']);
		const elsewhere = temporaryDirectory();
		const [first = ''] = ids;
		if (part !== '') mkdirSync(join(place.mailRoot, first));
		symlinkSync(elsewhere, join(place.mailRoot, first, part));
		const before = lstatSync(elsewhere).mode;
		await expect(prepare()).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
		expect([readdirSync(elsewhere), lstatSync(elsewhere).mode]).toEqual([[], before]);
	});

	it('leave the access of a mail root alone that was there before', async () => {
		mkdirSync(place.mailRoot, { mode: 0o750 });
		const { mode } = lstatSync(place.mailRoot);
		await prepare();
		expect(lstatSync(place.mailRoot).mode).toBe(mode);
	});
});
