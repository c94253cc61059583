import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DatabaseSync } from 'node:sqlite';
import { caller } from '../../../../../tests/support/app.ts';
import { openSplit } from '../../../../../tests/support/applier.ts';
import type { SplitPanel } from '../../../../../tests/support/applier.ts';
import { domainName, estateId } from '../../../../../tests/support/estate.ts';
import { estateKeyText, fillEstate } from '../../../../../tests/support/policy-app.ts';
import type { ApplyAnswer } from '../apply-run.ts';
import { keepFiles } from '../../suppression/keep-files.ts';
import { suppressionRoots } from '../../suppression/service.ts';
import { closeCompiler } from '../compile.ts';
import { followApplier } from './keep.ts';
import { policyRoots } from '../roots.ts';

const open: SplitPanel[] = [];
afterEach(async () => {
	for (const panel of open.splice(0)) {
		await panel.rest();
		await closeCompiler(panel.app);
	}
});

async function splitPanel(options?: Parameters<typeof openSplit>[0]) {
	const panel = await openSplit(options);
	open.push(panel);
	const { app, places } = panel;
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 3, senders: 6 });
	const { policy, mutation } = caller(app);
	const apply = async (input: object = {}) =>
		(await mutation(
			'policy.apply' as never,
			{
				expectedHash: (await policy.preview()).hash,
				...input
			} as never
		)) as ApplyAnswer;
	return { ...panel, policy, apply, roots: policyRoots(places.kumomtaRoot) };
}

const pauseSender = ({ app }: { app: SplitPanel['app'] }, number: number) =>
	app.database.client.execute({
		sql: "UPDATE senders SET status = 'paused' WHERE id = ?",
		args: [estateId('sender', number)]
	});

describe('an apply through the applier', () => {
	it('makes live what was reviewed, with its keys, and the panel sees it', async () => {
		const panel = await splitPanel();
		panel.serve();
		const answer = await panel.apply();
		expect(answer).toMatchObject({ outcome: 'applied', revision: 1 });
		expect(answer.steps.map(({ name }) => name)).toEqual([
			...['snapshot', 'render', 'check', 'stage', 'routes'],
			...['validate', 'dovecot', 'swap', 'refresh', 'probe', 'watch', 'record']
		]);
		const [name = ''] = readdirSync(panel.roots.revisions);
		expect(readFileSync(panel.roots.init, 'utf8')).toContain(`revision ${name}\n`);
		expect(readFileSync(join(panel.roots.dkim, domainName(0), 'k1.key'), 'utf8')).toBe(estateKeyText(0));
		const status = await panel.policy.status();
		expect(status).toMatchObject({ liveRevision: 1, dirty: false, drift: [] });
		expect(status.liveHash?.slice(0, 12)).toBe(name.split('-')[1]);
	});

	it('keeps every private key away from the panel', async () => {
		const panel = await splitPanel();
		panel.serve();
		await panel.apply();
		const files = readdirSync(panel.app.env.dataDir, { recursive: true, withFileTypes: true });
		const names = files.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
		expect(names.length).toBeGreaterThan(10);
		for (const path of names) {
			expect(path).not.toMatch(/applier\.key$|\.key$(?<!secret\.key)/);
			expect(readFileSync(path).includes('BEGIN PRIVATE KEY')).toBe(false);
		}
		expect(() => panel.app.keys.applier.open('v2:a:b:c:d:e', 'dkim')).toThrow('Only the applier');
	});

	it('takes an apply back, restores an older one, and lets nothing be unchanged twice', async () => {
		const panel = await splitPanel();
		panel.serve();
		const first = await panel.apply();
		await pauseSender(panel, 0);
		const second = await panel.apply();
		expect(second).toMatchObject({ outcome: 'applied', revision: 2 });
		expect(await panel.apply()).toMatchObject({ outcome: 'unchanged', revision: 2 });
		expect(await panel.policy.revert({ applyId: second.applyId })).toMatchObject({ outcome: 'applied', revision: 1 });
		expect(readFileSync(panel.roots.init, 'utf8')).toContain('revision 1-');
		expect(await panel.policy.restore({ number: 2 })).toMatchObject({ outcome: 'applied', revision: 3 });
		expect(readFileSync(panel.roots.init, 'utf8')).toContain('revision 3-');
		expect((await panel.policy.status()).liveRevision).toBe(3);
		expect(first.revision).toBe(1);
	});
});

describe('suppression files', () => {
	it('reach KumoMTA as the applier made them, row by row', async () => {
		const panel = await splitPanel();
		panel.serve();
		await panel.apply();
		await caller(panel.app).suppression.add({ address: 'gone@example.org' });
		await keepFiles(panel.app);
		await followApplier(panel.app);
		const db = new DatabaseSync(suppressionRoots(panel.places.kumomtaRoot).base, { readOnly: true });
		const rows = db.prepare('SELECT address, scope, reason FROM suppressed').all();
		db.close();
		expect(rows.map((row) => ({ ...row }))).toEqual([{ address: 'gone@example.org', scope: '', reason: 'manual' }]);
		expect(panel.app.logLines.filter((line) => line.includes('the applier did not'))).toEqual([]);
	});
});

describe('what the panel may see', () => {
	it('the answers are open, everything else of the applier is closed', async () => {
		const panel = await splitPanel();
		panel.serve();
		await panel.apply();
		const mode = (path: string) => (statSync(join(panel.places.results, path)).mode & 0o777).toString(8);
		expect([mode('state.json'), mode('applier.pub'), mode('answers')]).toEqual(['644', '644', '755']);
		expect([mode('private'), mode('private/applier.key'), mode('private/last-request')]).toEqual(['700', '600', '600']);
		const answers = readdirSync(join(panel.places.results, 'answers'));
		for (const name of answers) expect(mode(`answers/${name}`)).toBe('644');
	});
});
