import { randomBytes } from 'node:crypto';
import { emailAddress } from '../lib/server/core/inputs.ts';
import { Secret } from '../lib/server/core/secret.ts';
import { exit, UsageError } from './command.ts';
import type { Command, Exit, Invocation } from './command.ts';
import { readPassword } from './password-input.ts';

export const users: Record<string, Command> = {
	list: {
		help: 'The accounts of the panel.',
		takes: [],
		options: { json: { type: 'boolean', help: 'As JSON.' } },
		run: list
	},
	'set-password': {
		help: 'A new password for an account, when its owner is locked out; ends all its sessions.',
		takes: ['email'],
		options: {
			generate: {
				type: 'boolean',
				help: 'Makes a password and prints it, instead of asking for one or reading it from standard input.'
			}
		},
		run: setPassword
	}
};

async function list({ app, options, print }: Invocation): Promise<Exit> {
	const { listUsers } = await import('../lib/server/auth/service.ts');
	const found = await listUsers(app);
	if (options['json'] === true) print(JSON.stringify(found));
	else if (found.length === 0) print('There is no account yet. Open the panel and register with the setup code.');
	else
		for (const { email, createdAt, passwordChangedAt } of found)
			print(`${email}  since ${day(createdAt)}, password of ${day(passwordChangedAt)}`);
	return exit.ok;
}

const day = (at: number) => new Date(at).toISOString().slice(0, 10);

async function setPassword({ app, caller, options, given, print }: Invocation): Promise<Exit> {
	const email = emailAddress.safeParse(given['email']);
	if (!email.success) throw new UsageError('This is not an e-mail address. Nothing was changed.');
	const isGenerated = options['generate'] === true;
	const password = isGenerated ? new Secret(randomBytes(15).toString('base64url')) : await readPassword();
	const { setUserPassword } = await import('../lib/server/auth/service.ts');
	const { runAudited } = await import('../lib/server/gate.ts');
	const input = { email: email.data, password };
	const { sessionsEnded } = await runAudited(app, { caller, action: 'users.setPassword', input }, () =>
		setUserPassword(app, input)
	);
	if (isGenerated) print(password.open());
	process.stderr.write(
		`The password of ${input.email} was changed; ${sessionsEnded === 1 ? '1 session was' : `${sessionsEnded} sessions were`} ended.\n`
	);
	return exit.ok;
}
