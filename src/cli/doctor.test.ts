import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, temporaryDirectory } from '../../tests/support/app.ts';
import type { TestApp } from '../../tests/support/app.ts';
import { runCommand } from '../../tests/support/command-line.ts';
import { getBackupState } from '../lib/server/backup/service.ts';
import { listHealth } from '../lib/server/health/service.ts';

/** `kumomta-ui doctor` as people run it: its own process, beside a panel that has the database open. */
let app: TestApp;
beforeAll(async () => {
	app = await openTestApp({ clock: Date.now });
});

const run = (...args: string[]) => runCommand(app, ['doctor', ...args]);

describe('doctor', () => {
	it('ends with 0 when what it looked at is in order, and the page knows it then', async () => {
		const { code, out } = await run('--only', 'data-files', '--only', 'panel-exposure');
		expect([code, out.split('\n').at(-2)]).toEqual([0, '2 checks: 0 failed, 0 warnings, 0 unknown, 2 in order.']);
		const { items } = await listHealth(app.db);
		expect(items.filter(({ outcome }) => outcome !== null).map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
			'panel-exposure ok',
			'data-files ok'
		]);
	});

	it('ends with 3 when something failed, and says what, why and what to do', async () => {
		const path = join(app.env.dataDir, 'notes');
		writeFileSync(path, 'canary-of-a-file');
		chmodSync(path, 0o644);
		const { code, out, err } = await run('--only', 'data-files');
		expect(code).toBe(3);
		expect(out).toMatch(/^FAILED {2}Database and keys \(data-files\): Others on this machine can look into/);
		expect(out).toContain(`${path}: mode 0644`);
		expect(out).toMatch(/Why it matters: .+\n\s+What to do: Close it to .+\n\s+chown -R/);
		expect(out + err).not.toContain('canary-of-a-file');
		const json = await run('--only', 'data-files', '--json');
		expect(json.code).toBe(3);
		expect(JSON.parse(json.out)).toMatchObject({ failed: 1, items: [{ id: 'data-files', outcome: 'failed' }] });
		chmodSync(path, 0o600);
		expect((await run('--only', 'data-files', '--problems')).out).toBe(
			'1 check: 0 failed, 0 warnings, 0 unknown, 1 in order.\n'
		);
	});

	it('asks no blocklist unless it is told to, and knows no other check than its own', async () => {
		const all = await run('--json');
		expect(JSON.parse(all.out).items.map(({ id }: { id: string }) => id)).not.toContain('blocklists');
		expect([all.code, all.err]).toEqual([expect.any(Number), '']);
		expect(await run('--only', 'nonsense')).toMatchObject({ code: 2, out: '' });
	}, 60_000);
});

it('a rehearsed restore is remembered where there is a panel, and nowhere else', async () => {
	const directory = temporaryDirectory();
	const file = join(directory, 'one.backup');
	expect((await runCommand(app, ['backup', '--out', file])).code).toBe(0);
	expect(await getBackupState(app.db)).toMatchObject({ protection: 'none', rehearsedAt: null });
	const elsewhere = { env: { DATA_DIR: join(directory, 'none') } };
	expect(await runCommand(app, ['backup', '--verify', file], elsewhere)).toMatchObject({ code: 0, err: '' });
	expect((await getBackupState(app.db)).rehearsedAt).toBeNull();
	expect((await runCommand(app, ['backup', '--verify', file])).code).toBe(0);
	expect(await getBackupState(app.db)).toMatchObject({
		lastAt: expect.any(Number) as number,
		rehearsedAt: expect.any(Number) as number,
		failedAt: null
	});
}, 60_000);
