import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openTestApp } from '../../../../tests/support/app.ts';
import { Secret } from '../core/secret.ts';
import { isSetupCode, prepareSetupCode } from './setup-code.ts';

describe('the setup code', () => {
	it.each(['', '\n', '----', 'zzzz', 'ab12'])('opens nothing when its file holds only %j', async (cut) => {
		const app = await openTestApp();
		writeFileSync(join(app.env.dataDir, 'setup-code'), cut);
		for (const guess of ['x', '-', 'zzzz', ' ', 'ab12', '']) expect(isSetupCode(app, new Secret(guess))).toBe(false);
	});

	it('is made anew over a file that a full disk cut off, and stays the same afterwards', async () => {
		const app = await openTestApp();
		const path = join(app.env.dataDir, 'setup-code');
		writeFileSync(path, '');
		const made = await prepareSetupCode(app);
		expect(made?.code).toMatch(/^(?:[0-9a-f]{4}-){7}[0-9a-f]{4}$/);
		expect(await prepareSetupCode(app)).toEqual(made);
		expect(readFileSync(path, 'utf8')).toBe(`${made?.code}\n`);
		expect(statSync(path).mode & 0o777).toBe(0o600);
		expect(readdirSync(app.env.dataDir).filter((name) => name.startsWith('setup-code'))).toEqual(['setup-code']);
		expect(isSetupCode(app, new Secret(made?.code.toUpperCase().replaceAll('-', ' ') ?? ''))).toBe(true);
	});
});
