import { readFileSync } from 'node:fs';
import { afterEach, expect } from 'vitest';
import { openTestApp, temporaryDirectory } from './app.ts';
import type { TestApp } from './app.ts';
import { makeCertificate } from './certificate.ts';
import { makeKumodExecutableDouble } from './kumod-executable-double.ts';
import { startKumodDouble } from './kumod-http-double.ts';
import { fillEstate, testHost } from './policy-app.ts';
import { startSmtpDouble } from './smtp-double.ts';
import { createKumod } from '../../src/lib/server/kumod/client.ts';
import { update } from '../../src/lib/server/settings/service.ts';
import { applyPending } from '../../src/lib/server/policy/apply.ts';
import { closeCompiler } from '../../src/lib/server/policy/compile.ts';
import { policyRoots } from '../../src/lib/server/policy/roots.ts';
import { getPreview } from '../../src/lib/server/policy/service.ts';
import { findWatching } from '../../src/lib/server/policy/watch-wishes.ts';
import type { Timer } from '../../src/lib/server/policy/watch.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});

export const who = { actor: 'cli:0', name: 'the test', userId: null, sessionId: null };
const patience = { validateMs: 1500, aliveMs: 200, loadedMs: 200, greetMs: 500, pauseMs: 20 };

/** A clock that only sleeping moves; `onSleep` is what happens meanwhile. */
function virtualTimer() {
	let now = 0;
	const timer = {
		now: () => now,
		sleep: async (ms: number, signal: AbortSignal) => {
			now += ms;
			await timer.onSleep(now);
			if (!signal.aborted) await new Promise((resolve) => setImmediate(resolve));
		},
		onSleep: (_now: number): void | Promise<void> => {}
	};
	return timer satisfies Timer & { onSleep: unknown };
}

/** KumoMTA and a listener, doubles; revision 1 is live. The wall clock is the test's. */
export async function watchedNode({ purpose = 'inbound' }: { purpose?: 'inbound' | 'submission' } = {}) {
	const bin = makeKumodExecutableDouble(temporaryDirectory());
	const api = await startKumodDouble();
	const certificate = purpose === 'submission' ? makeCertificate(temporaryDirectory()) : undefined;
	const smtp = await startSmtpDouble('greets', certificate);
	closers.push(api.close, smtp.close);
	let at = Date.UTC(2026, 0, 5, 12);
	const timer = virtualTimer();
	const fault: { point?: (name: string) => void | Promise<void> } = {};
	const restart = () => {
		api.script.luaLoadCount = 1;
		return Promise.resolve({ isDone: true, detail: 'was restarted' });
	};
	const status = () => Promise.resolve({ isManaged: true, isActive: true, detail: 'active (running)' });
	const app = await openTestApp({
		clock: () => at,
		env: { KUMOD_BIN: bin.bin },
		host: { ...testHost((name) => fault.point?.(name)), systemd: { status, restart } },
		kumod: createKumod(api.url)
	});
	closers.push(() => closeCompiler(app));
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 2, senders: 4 });
	await update(app, {
		listeners: [{ address: '127.0.0.1', port: smtp.port, purpose }],
		watchSeconds: 0
	});
	const node = { app, api, smtp, timer, fault, setClock: (next: number) => (at = next), clock: () => at };
	expect(await apply(node)).toMatchObject({ outcome: 'applied', revision: 1 });
	await update(app, { watchSeconds: 60 });
	return node;
}

type Node = { app: TestApp; timer: ReturnType<typeof virtualTimer> };
export const apply = async ({ app, timer }: Node) =>
	applyPending(app, who, { expectedHash: (await getPreview(app)).hash }, { answerAfterMs: 20_000, patience, timer });
export const edit = ({ app }: Node, sql: string) => app.database.client.execute(sql);
export const pauseOne = "UPDATE senders SET status = 'paused' WHERE seq = (SELECT min(seq) FROM senders)";
export const rename = "UPDATE settings SET hostname = 'new.example.net'";
export const initOf = ({ app }: Node) => readFileSync(policyRoots(app.env.kumomtaRoot).init, 'utf8');
export const runningId = async ({ app }: Node) => (await findWatching(app))?.applyId ?? 'none';
