import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { closeCompiler } from '../../src/lib/server/policy/compile.ts';
import { policyRoots } from '../../src/lib/server/policy/roots.ts';
import type { SimulatedMessage } from '../../src/lib/server/policy/simulate/inputs.ts';
import { closeSimulator } from '../../src/lib/server/policy/simulate/service.ts';
import { openTestApp } from './app.ts';
import type { TestApp } from './app.ts';
import { callOverHttp } from './contract.ts';
import { estateId } from './estate.ts';
import { absentKumod, fillEstate, testHost } from './policy-app.ts';

const open: TestApp[] = [];
afterEach(async () => {
	for (const app of open.splice(0)) {
		await closeSimulator(app);
		await closeCompiler(app);
	}
});

/** An estate without KumoMTA, and the procedures of `policy` by their names in it. */
export async function routesApp() {
	const app = await openTestApp({ host: testHost(), kumod: absentKumod() });
	open.push(app);
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 3, senders: 60 });
	const call = (path: string, input?: unknown) => callOverHttp(app, `policy.${path}`, input);
	async function must(path: string, input?: unknown) {
		const answer = await call(path, input);
		if (!answer.ok) throw new Error(`${path} was refused: ${answer.text}`);
		return answer.data;
	}
	async function apply(wishes: object = {}) {
		const { hash } = await must('preview');
		return call('apply', { expectedHash: hash, ...wishes });
	}
	const run = (sql: string, args: string[] = []) => app.database.client.execute({ sql, args });
	return { app, call, must, apply, run, roots: policyRoots(app.env.kumomtaRoot) };
}

export type RoutesApp = Awaited<ReturnType<typeof routesApp>>;

const own = 's000001@d00000.example';
/** Of a sender of the estate; it leaves by the pool main. */
export const request: SimulatedMessage = {
	arrival: { via: 'smtp', listener: 'submission', clientAddress: '203.0.113.5', authenticatedAs: own },
	mailFrom: own,
	recipients: ['someone@gmail.com'],
	headers: [{ name: 'From', value: own }]
};
export const moveToWarm = ({ run }: RoutesApp) =>
	run('UPDATE senders SET pool_id = ? WHERE id = ?', [estateId('pool', 1), estateId('sender', 1)]);
export const writeCustomLua = ({ roots }: RoutesApp, text: string) => {
	mkdirSync(roots.policy, { recursive: true });
	writeFileSync(join(roots.policy, 'custom.lua'), text, { mode: 0o644 });
};
export const statuses = ({ items }: { items: { name: string; status: string }[] }) =>
	items.map(({ name, status }) => `${name} ${status}`);
