import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { App } from '../../src/lib/server/app.ts';
import { auditEntries } from '../../src/lib/server/audit/tables.ts';
import { createGate } from '../../src/lib/server/gate.ts';
import { appRouter } from '../../src/lib/server/router.ts';
import type { Caller, Context } from '../../src/lib/server/core/trpc.ts';
import { openTestApp } from '../support/app.ts';

/** Every procedure is walked here, so that a new one can't forget what the builders promise. */

interface Procedure {
	_def: { query?: true; mutation?: true; meta?: { open?: true }; inputs: z.ZodType[]; output?: z.ZodType };
}

const procedures = Object.entries(appRouter._def.procedures as unknown as Record<string, Procedure>);
const paths = procedures.map(([path]) => path);
const mutations = procedures.filter(([, { _def }]) => _def.mutation).map(([path]) => path);
const open = ['auth.login', 'auth.register', 'auth.status'];

/** What the contract calls queries; everything else changes something. */
const queries =
	/^(?:auth\.(?:status|me|sessions\.list)|settings\.get|domains\.(?:dns|checkDns|impact)|sources\.detect|bounces\.(?:mailbox|connection)|kumod\.status|feedback\.(?:counts|state)|policy\.(?:status|preview|changes|changeGroups|effects|fileChanges|fileSummary|drift|driftFile|foreign|revisions|revision|progress|simulate|routes\.check)|imports\.preview|suppression\.(?:check|export|state)|.+\.(?:list|get))$/;

/** Names from the contract that this build must have; fields may be added, names may not go. */
const promised =
	`auth.status auth.register auth.login auth.logout auth.me auth.changePassword auth.sessions.list auth.sessions.revoke auth.sessions.revokeOthers
	settings.get settings.update sources.list sources.create sources.update sources.remove sources.detect pools.list pools.create pools.update pools.remove
	domains.list domains.get domains.create domains.update domains.impact domains.remove domains.dns domains.checkDns
	dkim.list dkim.generate dkim.import dkim.activate dkim.retire dkim.remove
	senders.list senders.get senders.create senders.update senders.remove senders.setPassword
	imports.create imports.append imports.preview imports.commit imports.discard
	bounces.list bounces.get bounces.create bounces.update bounces.remove bounces.setPassword
	bounces.mailbox bounces.emptyMailbox bounces.connection bounces.checkLogin
	suppression.list suppression.get suppression.check suppression.add suppression.remove suppression.bulk suppression.export suppression.state suppression.rebuild
	suppression.rules.get suppression.rules.update
	policy.status policy.preview policy.changes policy.apply policy.progress policy.revert policy.endWatch policy.confirm policy.revisions policy.revision policy.restore policy.simulate
	policy.routes.list policy.routes.create policy.routes.update policy.routes.remove policy.routes.check kumod.status health.list health.run audit.list`.split(
		/\s+/
	);

let app: App;
const local: Caller = { actor: 'u'.repeat(16), name: 'ops@example.net', userId: 'u'.repeat(16), sessionId: null };

beforeAll(async () => {
	app = await openTestApp();
});
afterAll(() => app.close());

function call(path: string, input: unknown, caller: Caller | null): Promise<unknown> {
	const context: Context = {
		app,
		gate: createGate(app),
		requestId: 'test',
		address: '192.0.2.9',
		userAgent: 'test',
		token: null,
		local: caller
	};
	// By path and not as `caller.policy.apply(…)`: there `apply` is the one that every function has.
	const kind = procedures.find(([name]) => name === path)?.[1]._def.query ? 'query' : 'mutation';
	const procedure = appRouter.createCaller(context) as unknown as Record<
		'query' | 'mutation',
		(path: string, input: unknown) => Promise<unknown>
	>;
	return procedure[kind](path, input);
}

const codeOf = (error: unknown) => (error as { code?: string }).code;

it('has every procedure that the contract names', () => {
	expect(promised.filter((path) => !paths.includes(path))).toEqual([]);
});

describe.each(paths)('%s', (path) => {
	const { _def } = procedures.find(([name]) => name === path)![1];

	it('is a query or a mutation as the contract says', () => {
		expect(_def.query === true).toBe(queries.test(path));
	});

	it('parses what goes in and what comes out', () => {
		expect(_def.inputs.length).toBeGreaterThan(0);
		expect(_def.output).toBeDefined();
	});

	it('refuses input fields it does not know', async () => {
		await expect(call(path, { surprise: 1 }, local)).rejects.toHaveProperty('code', 'BAD_REQUEST');
	});

	it('is closed without a session, unless the list here says that it is open', async () => {
		const code = open.includes(path) ? 'BAD_REQUEST' : 'UNAUTHORIZED';
		await expect(call(path, open.includes(path) ? { surprise: 1 } : undefined, null)).rejects.toHaveProperty(
			'code',
			code
		);
	});

	it('is open only if the list here says so', () => {
		expect(_def.meta?.open === true).toBe(open.includes(path));
	});

	it('has no field for a stored secret in its answer', () => {
		const answer = JSON.stringify(z.toJSONSchema(_def.output!, { io: 'output', unrepresentable: 'any' }));
		expect(answer).not.toMatch(
			/"(?:passwordHash|password_hash|tokenHash|verifier|passwordVerifier|salt|passwordSalt|privateKey|sealedPrivateKey|apiKeySealed|httpApiPassword|sealed[A-Z]\w*)":/
		);
	});
});

describe.each(mutations)('%s', (path) => {
	it('leaves an audit row with its outcome, also when it is refused', async () => {
		const before = await app.db.$count(auditEntries);
		const code = await call(path, { surprise: 'canary-of-an-unknown-field' }, local).catch(codeOf);
		const rows = await app.db.select().from(auditEntries).limit(5).offset(before);
		expect(rows.map(({ action, outcome, actorName }) => ({ action, outcome, actorName }))).toEqual([
			{ action: path, outcome: code, actorName: open.includes(path) ? rows[0]?.actorName : 'ops@example.net' }
		]);
		expect(JSON.stringify(rows)).not.toContain('canary-of-an-unknown-field');
	});
});
