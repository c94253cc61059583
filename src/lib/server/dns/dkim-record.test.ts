import { describe, expect, it } from 'vitest';
import { compareDkim, dkimRecord } from './dkim-record.ts';

const key = 'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxyz+/0';
const expected = dkimRecord({ selector: 's', algorithm: 'rsa-2048', publicKey: key });

it('writes the record of each algorithm', () => {
	expect(expected).toBe(`v=DKIM1; k=rsa; p=${key}`);
	expect(dkimRecord({ selector: 's', algorithm: 'ed25519', publicKey: 'abc=' })).toBe('v=DKIM1; k=ed25519; p=abc=');
});

describe('the same key, however it is written', () => {
	it.each([
		expected,
		`p=${key}`,
		`v=DKIM1;p=${key};`,
		`v=DKIM1 ; n=note; p = ${key.slice(0, 20)} \t ${key.slice(20)} ; k=rsa`,
		`v=DKIM1; h=sha1:sha256; s=*; t=s; p=${key}`,
		`v=DKIM1; s=email; x=unknown; p=${key}`
	])('%j', (published) => expect(compareDkim(published, expected)).toEqual({ state: 'ok' }));

	it('warns of testing mode', () => {
		expect(compareDkim(`v=DKIM1; t=s:y; p=${key}`, expected)).toMatchObject({
			state: 'ok',
			warning: expect.stringContaining('t=y')
		});
	});
});

describe('not the key', () => {
	it.each([
		['revoked', 'v=DKIM1; k=rsa; p=', 'revoked'],
		['a rotated key with p= in it (D-142)', 'v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A', 'another key'],
		['the key and more', `v=DKIM1; p=${key}AAAA`, 'another key'],
		['the key in a note', `v=DKIM1; n=p=${key}; p=AAAA`, 'another key'],
		['rubbish in the key', `v=DKIM1; p=${key}!`, 'another key'],
		['no p', 'v=DKIM1; k=rsa', 'without a key'],
		['another type', `v=DKIM1; k=ed25519; p=${key}`, 'another type'],
		['v not first', `k=rsa; v=DKIM1; p=${key}`, 'not the first tag'],
		['v of another version', `v=DKIM2; p=${key}`, 'not the first tag'],
		['two p', `v=DKIM1; p=${key}; p=AAAA`, 'no list of tags'],
		['an empty item', `v=DKIM1;; p=${key}`, 'no list of tags'],
		['a leading semicolon', `; v=DKIM1; p=${key}`, 'no list of tags'],
		['escaped semicolons', `v=DKIM1\\; k=rsa\\; p=${key}`, 'not the first tag'],
		['control characters', `v=DKIM1; p=${key}\0`, 'no list of tags'],
		['SHA-1 only', `v=DKIM1; h=sha1; p=${key}`, 'SHA-256'],
		['not for e-mail', `v=DKIM1; s=tlsrpt; p=${key}`, 'e-mail'],
		['quotes pasted along', `"${expected}"`, 'no list of tags'],
		['nothing', '', 'no list of tags']
	])('%s', (_, published, message) => {
		expect(compareDkim(published, expected)).toEqual({ state: 'different', message: expect.stringContaining(message) });
	});
});
