import { mkdtempSync, readFileSync, statSync, writeFileSync, chmodSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openKeys } from './key-files.ts';
import { createLog } from './log.ts';
import { applierKey, applierSeal, newApplierKey, panelKey, SealError, Secret } from './secret.ts';

const canary = 'canary-2f6c1';

describe('Secret', () => {
	it('never prints what it holds', () => {
		const secret = new Secret(canary);
		const lines: string[] = [];
		createLog('debug', (line) => lines.push(line)).info('login', {
			secret,
			nested: { secret },
			list: [secret],
			error: new Error(String(secret))
		});
		const printed = [
			'' + String(secret),
			String(secret),
			JSON.stringify({ secret }),
			inspect(secret, { showHidden: true, depth: 9 }),
			format('%s %o %j', secret, secret, secret),
			JSON.stringify(Object.entries(secret)),
			...lines
		];
		for (const text of printed) expect(text).not.toContain(canary);
		expect(secret.open()).toBe(canary);
	});
});

describe('panel key', () => {
	it('opens what it sealed, whatever the text', () => {
		const key = panelKey(randomBytes(32));
		fc.assert(
			fc.property(
				fc.string({ unit: 'binary' }),
				(text) => key.open(key.seal(new Secret(text), 'test'), 'test').open() === text.toWellFormed()
			)
		);
	});

	it('seals the same text differently each time', () => {
		const key = panelKey(randomBytes(32));
		expect(key.seal(new Secret('a'), 'test')).not.toBe(key.seal(new Secret('a'), 'test'));
	});

	it('refuses another key by name, another purpose, and every flipped character', () => {
		const key = panelKey(randomBytes(32));
		const sealed = key.seal(new Secret(canary), 'settings.ai');
		expect(() => panelKey(randomBytes(32)).open(sealed, 'settings.ai')).toThrow(
			/sealed with key [0-9a-f]{8}, but the key file holds key [0-9a-f]{8}/
		);
		expect(() => key.open(sealed, 'settings.other')).toThrow(SealError);
		for (let at = 0; at < sealed.length; at += 3) {
			const flipped = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
			if (flipped === sealed) continue;
			let opened: string | undefined;
			try {
				opened = key.open(flipped, 'settings.ai').open();
			} catch (error) {
				expect(error).toBeInstanceOf(SealError);
			}
			// The last character of a base64url part may carry unused bits: then it is the same value, never another one.
			if (opened !== undefined) expect(opened).toBe(canary);
		}
	});
});

describe('applier key', () => {
	it('opens what anybody sealed to it, and nobody else can', () => {
		const der = newApplierKey();
		const applier = applierKey(der);
		const sealed = applier.seal(new Secret(canary), 'dkim:a.example:k1');
		expect(sealed).toMatch(/^v2:[0-9a-f]{8}:/);
		expect(sealed).not.toContain(canary);
		expect(applierKey(der).open(sealed, 'dkim:a.example:k1').open()).toBe(canary);
		expect(() => applier.open(sealed, 'dkim:b.example:k1')).toThrow(SealError);
		expect(() => applierKey(newApplierKey()).open(sealed, 'dkim:a.example:k1')).toThrow(/sealed to applier/);
	});

	it('gives the web half nothing that opens', () => {
		expect(Object.keys(applierSeal(randomBytes(32))).sort()).toEqual(['id', 'seal']);
	});
});

describe('key files', () => {
	const directory = () => mkdtempSync(join(tmpdir(), 'panel-keys-'));

	it('are made 0600 at the first start and kept', () => {
		const data = join(directory(), 'data');
		const first = openKeys(data);
		expect([statSync(join(data, 'secret.key')).mode & 0o777, statSync(join(data, 'applier.key')).mode & 0o777]).toEqual(
			[0o600, 0o600]
		);
		const sealed = first.panel.seal(new Secret(canary), 'test');
		expect(openKeys(data).panel.open(sealed, 'test').open()).toBe(canary);
	});

	it.each([
		['empty', ''],
		['garbage', 'not a key'],
		['too short', randomBytes(16).toString('base64')]
	])('refuses an %s file and leaves it as it is', (_, text) => {
		const data = directory();
		writeFileSync(join(data, 'secret.key'), text, { mode: 0o600 });
		expect(() => openKeys(data)).toThrow(SealError);
		expect(readFileSync(join(data, 'secret.key'), 'utf8')).toBe(text);
	});

	it('refuses a key that others may read, naming the command', () => {
		const data = directory();
		openKeys(data);
		chmodSync(join(data, 'applier.key'), 0o644);
		expect(() => openKeys(data)).toThrow(/chmod 600/);
	});
});
