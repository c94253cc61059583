import type { App } from '../lib/server/app.ts';
import { emailAddress } from '../lib/server/core/inputs.ts';
import { counted } from '../lib/shared/counted.ts';
import { exit, UsageError } from './command.ts';
import type { Command, Exit, Invocation } from './command.ts';

/** What a signed-in browser or program holds is a bearer token; it is shown to its owner once, here never. */
export const tokens: Record<string, Command> = {
	list: {
		help: 'The valid tokens: who signed in, from where, and until when each is valid.',
		takes: [],
		options: { json: { type: 'boolean', help: 'As JSON.' } },
		run: list
	},
	revoke: {
		help: 'Ends one token by the id that list shows; whoever holds it must sign in again.',
		takes: ['id'],
		options: {},
		run: revoke
	},
	'revoke-all': {
		help: 'Ends every token of an account.',
		takes: ['email'],
		options: {},
		run: revokeAll
	}
};

async function read({ app, caller }: Invocation) {
	const { listUsers } = await import('../lib/server/auth/service.ts');
	const { listSessions } = await import('../lib/server/auth/sessions.ts');
	const found = [];
	for (const { id: userId, email } of await listUsers(app))
		for (let cursor: string | undefined; ;) {
			const page = await listSessions(app, { ...caller, userId }, { cursor, limit: 200 });
			found.push(...page.items.map(({ isCurrent: _, ...session }) => ({ ...session, userId, email })));
			if (page.nextCursor === null) break;
			cursor = page.nextCursor;
		}
	return found;
}

const moment = (at: number) => new Date(at).toISOString().slice(0, 16).replace('T', ' ');

async function list(invocation: Invocation): Promise<Exit> {
	const { options, print } = invocation;
	const found = await read(invocation);
	if (options['json'] === true) print(JSON.stringify(found.map(({ userId: _, ...token }) => token)));
	else if (found.length === 0) print('Nobody is signed in.');
	else
		for (const { id, email, address, createdAt, lastUsedAt, expiresAt, userAgent } of found)
			print(
				`${id}  ${email}  from ${address}  since ${moment(createdAt)}, last used ${moment(lastUsedAt)}, valid until ${moment(expiresAt)} UTC  ${userAgent}`.trimEnd()
			);
	return exit.ok;
}

async function revoke(invocation: Invocation): Promise<Exit> {
	const { app, caller, given, print } = invocation;
	const id = given['id'] ?? '';
	const owner = (await read(invocation)).find((token) => token.id === id);
	const { revokeSession } = await import('../lib/server/auth/sessions.ts');
	await audited(app, { caller, action: 'auth.sessions.revoke', input: { id } }, async () => {
		// Of nobody: refused with the words of the web, and written down like there.
		await revokeSession(app, { ...caller, userId: owner?.userId ?? null }, id);
		return { id };
	});
	print(`The token of ${owner?.email ?? 'nobody'} was ended.`);
	return exit.ok;
}

async function revokeAll({ app, caller, given, print }: Invocation): Promise<Exit> {
	const email = emailAddress.safeParse(given['email']);
	if (!email.success) throw new UsageError('This is not an e-mail address. Nothing was changed.');
	const { listUsers } = await import('../lib/server/auth/service.ts');
	const user = (await listUsers(app)).find((each) => each.email === email.data);
	if (user === undefined) throw new UsageError(`There is no account ${email.data}. Nothing was changed.`);
	const { revokeOtherSessions } = await import('../lib/server/auth/sessions.ts');
	const input = { email: user.email };
	const { ended } = await audited(app, { caller, action: 'auth.sessions.revokeOthers', input }, async () => ({
		id: user.id,
		...(await revokeOtherSessions(app, { ...caller, userId: user.id }))
	}));
	print(`${counted(ended, 'token')} of ${user.email} ${ended === 1 ? 'was' : 'were'} ended.`);
	return exit.ok;
}

async function audited<Result extends { id: string }>(
	app: App,
	start: { caller: Invocation['caller']; action: string; input: unknown },
	work: () => Promise<Result>
): Promise<Result> {
	const { runAudited } = await import('../lib/server/gate.ts');
	return runAudited(app, start, work);
}
