import { asc, sql } from 'drizzle-orm';
import { users } from '../auth/tables.ts';
import type { Check } from './check.ts';
import { judgeExposure, judgeHttps, judgePasswords, judgeProxy } from './judge-panel.ts';

/** Who can reach the panel, and who can sign in to it. */
export const panelChecks: Check[] = [
	{
		id: 'https',
		group: 'panel',
		title: 'HTTPS',
		why: 'Your password and the session’s token go over this connection. Without HTTPS anybody on the way can take them.',
		async look({ env, host, clock }) {
			const { protocol, hostname, port } = new URL(env.origin);
			if (protocol === 'http:') return judgeHttps({ origin: env.origin }, clock());
			const target = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443), timeoutMs: 8000 };
			return judgeHttps({ origin: env.origin, certificate: await host.network.certificate(target) }, clock());
		}
	},
	{
		id: 'panel-exposure',
		group: 'panel',
		title: 'The panel’s own port',
		why: 'Behind the proxy stand its limits and its TLS. A port that can be reached past it has neither.',
		look: ({ env }) => Promise.resolve(judgeExposure(env))
	},
	{
		id: 'panel-proxy',
		group: 'panel',
		title: 'Addresses of visitors',
		why: 'Limits on sign-in count by the visitor’s address, and the audit log names it.',
		look: ({ env }) => Promise.resolve(judgeProxy(env))
	},
	{
		id: 'passwords',
		group: 'panel',
		title: 'Passwords of accounts',
		why: 'An account here can send as every sender of every domain.',
		async look({ db, clock }) {
			const rows = await db
				.select({
					email: users.email,
					passwordChangedAt: users.passwordChangedAt,
					// `$2y$11$`: the cost, and nothing of the hash.
					scheme: sql<string>`substr(${users.passwordHash}, 1, 7)`
				})
				.from(users)
				.orderBy(asc(users.email))
				.limit(100);
			const accounts = rows.map(({ scheme, ...account }) => {
				const cost = /^\$2[aby]\$(\d\d)\$$/.exec(scheme)?.[1];
				return { ...account, bcryptCost: cost === undefined ? null : Number(cost) };
			});
			return judgePasswords(accounts, clock());
		}
	}
];
