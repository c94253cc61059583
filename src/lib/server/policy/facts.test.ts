import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../../tests/support/app.ts';
import { makeCertificate } from '../../../../tests/support/certificate.ts';
import { testHost } from '../../../../tests/support/policy-app.ts';
import { readFacts } from './facts.ts';
import { policyRoots } from './roots.ts';
import type { PolicyRoots } from './roots.ts';

const name = 'mta.example.net';

function rootsWith(files: Record<string, string>): PolicyRoots {
	const roots = policyRoots(temporaryDirectory());
	mkdirSync(join(roots.tls, name), { recursive: true });
	for (const [file, text] of Object.entries(files)) writeFileSync(join(roots.tls, name, file), text);
	return roots;
}

const { key, cert } = makeCertificate(temporaryDirectory(), name, 30);
const other = makeCertificate(temporaryDirectory(), name, 30);
const unreadable = { readable: false, keyMatches: false, notAfterAt: 0, names: [] };

describe('what the checks know of this machine', () => {
	it('is its addresses, and nothing of TLS when none is set', async () => {
		expect(await readFacts(testHost(), rootsWith({}), null)).toEqual({ addresses: ['192.0.2.1'] });
	});

	it('is the names and dates of the certificate', async () => {
		const { tls } = await readFacts(testHost(), rootsWith({ 'fullchain.pem': cert, 'privkey.pem': key }), name);
		expect(tls).toMatchObject({ readable: true, keyMatches: true, names: [name] });
		const days = ((tls?.notAfterAt ?? 0) - Date.now()) / 86_400_000;
		expect([days > 29, days < 31]).toEqual([true, true]);
	});

	it('says when key and certificate do not belong together', async () => {
		const { tls } = await readFacts(testHost(), rootsWith({ 'fullchain.pem': cert, 'privkey.pem': other.key }), name);
		expect(tls).toMatchObject({ readable: true, keyMatches: false });
	});

	it.each([
		['no files', {}],
		['no key', { 'fullchain.pem': cert }],
		['text that is no certificate', { 'fullchain.pem': 'nonsense', 'privkey.pem': key }],
		['text that is no key', { 'fullchain.pem': cert, 'privkey.pem': 'nonsense' }]
	])('is unreadable with %s', async (_, files) => {
		expect((await readFacts(testHost(), rootsWith(files), name)).tls).toEqual(unreadable);
	});

	it('is unreadable behind a symbolic link, as certbot makes them', async () => {
		const roots = rootsWith({ 'fullchain.pem': cert });
		const target = join(temporaryDirectory(), 'privkey1.pem');
		writeFileSync(target, key);
		symlinkSync(target, join(roots.tls, name, 'privkey.pem'));
		expect((await readFacts(testHost(), roots, name)).tls).toEqual(unreadable);
	});
});
