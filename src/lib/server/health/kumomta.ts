import { desc } from 'drizzle-orm';
import type { App } from '../app.ts';
import { bounceAccounts } from '../bounces/tables.ts';
import { tryLogin } from '../dovecot/service.ts';
import { getLogState } from '../mail-log/service.ts';
import { applies } from '../policy/tables.ts';
import { getSettings } from '../settings/service.ts';
import { getFilesState } from '../suppression/service.ts';
import type { Check } from './check.ts';
import {
	judgeApiAccess,
	judgeApiReach,
	judgeApply,
	judgeDovecot,
	judgeLog,
	judgeRunning,
	judgeSuppression
} from './judge-kumomta.ts';
import { dovecotBin } from './versions.ts';

/** KumoMTA and what works with it. */
export const kumomtaChecks: Check[] = [
	{
		id: 'kumomta',
		group: 'kumomta',
		title: 'KumoMTA runs',
		why: 'It takes and sends the mail; the panel only tells it how.',
		look: async ({ kumod, env }) => judgeRunning(await kumod.checkLiveness(), env.kumodBin !== undefined)
	},
	{
		id: 'api-reach',
		group: 'kumomta',
		title: 'KumoMTA’s HTTP API from outside',
		why: 'Whoever reaches it from a trusted address can inject, stop and delete mail.',
		look: lookAtApi
	},
	{
		id: 'api-access',
		group: 'kumomta',
		title: 'KumoMTA’s HTTP API inside this machine',
		why: 'A hacked web site on the same machine could send in your name.',
		look: async ({ db }) => judgeApiAccess((await getSettings(db)).httpApi)
	},
	{
		id: 'apply',
		group: 'kumomta',
		title: 'The last apply',
		why: 'What is not live does not count, however right it looks here.',
		async look({ db, clock }) {
			const { outcome, startedAt, revision } = applies;
			const [last] = await db.select({ outcome, startedAt, revision }).from(applies).orderBy(desc(startedAt)).limit(1);
			return judgeApply(last, clock());
		}
	},
	{
		id: 'mail-log',
		group: 'kumomta',
		title: 'Reader of KumoMTA’s log',
		why: 'Bounces, complaints and the suppression list all come from it.',
		look: async ({ db, env, clock }) => judgeLog(await getLogState(db), env.kumodBin !== undefined, clock())
	},
	{
		id: 'suppression',
		group: 'kumomta',
		title: 'Suppression list',
		why: 'Mail to addresses that bounced or complained costs reputation.',
		look: async (app) => judgeSuppression(await getFilesState(app))
	},
	{
		id: 'dovecot',
		group: 'kumomta',
		title: 'Mailboxes of bounce accounts',
		why: 'What nobody can read nobody answers, and a full mailbox refuses mail.',
		look: lookAtDovecot
	}
];

async function lookAtApi({ host, env }: App) {
	const { hostname, port: given, protocol } = new URL(env.kumodApi);
	const port = Number(given || (protocol === 'https:' ? 443 : 80));
	const addresses = host.interfaces().filter(({ isLoopback }) => !isLoopback);
	const tried = await Promise.all(
		addresses
			.slice(0, 16)
			.map(async ({ address }) => ({ address, reach: await host.network.connects({ address, port, timeoutMs: 3000 }) }))
	);
	return judgeApiReach({ host: hostname, port, tried });
}

async function lookAtDovecot({ db, host, env }: App) {
	const accounts = await db.$count(bounceAccounts);
	const isInstalled = (await dovecotBin(host, env)) !== undefined;
	if (accounts === 0 || !isInstalled) return judgeDovecot({ accounts, isInstalled, failure: undefined });
	const { hostname } = await getSettings(db);
	const stages = await tryLogin({ user: 'doctor' }, { serverName: hostname, port: env.imapPort });
	return judgeDovecot({ accounts, isInstalled, failure: stages.find(({ status }) => status === 'failed')?.detail });
}
