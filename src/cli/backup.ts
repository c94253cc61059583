import { createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, isAbsolute, resolve } from 'node:path';
import type { SealWith } from '../lib/server/backup/container.ts';
import type { Backup } from '../lib/server/backup/create.ts';
import { readPassphrase, readPrivateKey } from './backup-keys.ts';
import { exit, UsageError } from './command.ts';
import type { Exit, Tool, ToolInvocation } from './command.ts';
import { progress } from './progress.ts';

export const backup: Tool = {
	help: 'One file of the database, keys, DKIM keys and revisions, while the panel runs.',
	takes: [],
	options: {
		out: { type: 'string', value: 'path', help: 'A new file or a directory; otherwise <DATA_DIR>/backups.' },
		'passphrase-file': { type: 'string', value: 'path', help: 'Locks it with the first line of this file (mode 600).' },
		recipient: { type: 'string', value: 'key', help: 'Locks it to this public key; only its private half opens it.' },
		'without-keys': { type: 'boolean', help: 'Leaves out the key files and DKIM keys.' },
		keep: { type: 'string', value: 'number', help: 'Removes the oldest backups there, so that this many stay.' },
		verify: { type: 'string', value: 'file', help: 'Makes none: rehearses a restore of this file.' },
		'key-file': { type: 'string', value: 'path', help: 'With --verify: the private half of the recipient key.' },
		'new-recipient': { type: 'string', value: 'path', help: 'Makes a private key there and prints its public half.' },
		json: { type: 'boolean', help: 'As JSON.' }
	},
	run: (invocation) =>
		typeof invocation.options['new-recipient'] === 'string'
			? newRecipient(invocation, invocation.options['new-recipient'])
			: typeof invocation.options['verify'] === 'string'
				? verify(invocation, invocation.options['verify'])
				: create(invocation)
};

const text = (value: unknown) => (typeof value === 'string' ? value : undefined);

async function create({ env, log, options, print, assertPanel }: ToolInvocation): Promise<Exit> {
	const sealWith = sealWithOf(options);
	const keep = keepOf(text(options['keep']));
	const hook = hookOf(process.env['BACKUP_HOOK']);
	assertPanel();
	const { openApp } = await import('../lib/server/app.ts');
	const { createBackup } = await import('../lib/server/backup/create.ts');
	const { runAudited } = await import('../lib/server/gate.ts');
	const app = await openApp(env, { log });
	const shown = progress('Backup:');
	try {
		const caller = callerOf();
		const out = text(options['out']);
		const wish = {
			...(out !== undefined && { out: resolve(out) }),
			sealWith,
			withoutKeys: options['without-keys'] === true,
			keep
		};
		const input = { out: out ?? null, protection: protectionOf(sealWith), keep: keep ?? null };
		const made = await runAudited(app, { caller, action: 'backup.create', input }, () =>
			createBackup(app, { ...wish, onFile: (done, of) => shown.at(`${done} of ${of} files`, done / of) })
		);
		shown.end();
		tell(made, sealWith, { isJson: options['json'] === true, print });
		return hook === undefined ? exit.ok : await runHook(hook, made.id);
	} finally {
		shown.end();
		app.close();
	}
}

function callerOf() {
	const actor = `cli:${process.getuid?.() ?? 'unknown'}`;
	return { actor, name: actor, userId: null, sessionId: null };
}

const protectionOf = (sealWith: SealWith) =>
	sealWith === 'nothing' ? 'none' : 'passphrase' in sealWith ? 'passphrase' : 'recipient';

function sealWithOf(options: ToolInvocation['options']): SealWith {
	const file = text(options['passphrase-file']);
	const recipient = text(options['recipient']);
	if (file !== undefined && recipient !== undefined)
		throw new UsageError('Give --passphrase-file or --recipient, not both. No backup was made.');
	if (file !== undefined) return { passphrase: readPassphrase(file) };
	if (recipient === undefined) return 'nothing';
	const key = /^kumomta-backup-([A-Za-z0-9_-]{43})$/.exec(recipient)?.[1];
	if (key === undefined)
		throw new UsageError('This is no recipient key. No backup was made. Make one with --new-recipient.');
	return { recipient: Buffer.from(key, 'base64url') };
}

function keepOf(value: string | undefined): number | undefined {
	if (value === undefined) return undefined;
	if (!/^[1-9]\d{0,3}$/.test(value)) throw new UsageError('--keep takes a number from 1 to 9999. No backup was made.');
	return Number(value);
}

function hookOf(path: string | undefined): string | undefined {
	if (path === undefined || path === '') return undefined;
	if (isAbsolute(path) && existsSync(path)) return path;
	throw new UsageError('BACKUP_HOOK is not the absolute path of a program. No backup was made.');
}

function tell(
	{ id, bytes, manifest, removed, leftOut }: Backup,
	sealWith: SealWith,
	{ isJson, print }: { isJson: boolean; print: (line: string) => void }
): void {
	if (isJson) {
		const { files, ...rest } = manifest;
		print(
			JSON.stringify({
				path: id,
				bytes,
				...rest,
				files: files.length,
				protection: protectionOf(sealWith),
				removed,
				leftOut
			})
		);
	} else print(id);
	const notes = [
		sealWith === 'nothing' &&
			'The backup is NOT encrypted, so the key files and DKIM keys were left out. Give --passphrase-file or --recipient to have them in it.',
		sealWith !== 'nothing' && !manifest.withKeys && 'The key files and DKIM keys were left out, as asked.',
		manifest.migration === null &&
			'The database is NOT in it: it lies on a libSQL server. Back that server up by its own means.',
		...leftOut.map((path) => `Left out: ${path}`),
		...removed.map((path) => `Removed: ${path}`)
	];
	for (const note of notes) if (note !== false) process.stderr.write(`${note}\n`);
}

async function runHook(hook: string, path: string): Promise<Exit> {
	const { run } = await import('../lib/server/host/run.ts');
	const why = await run(hook, [path], { timeoutMs: 3_600_000, maxBytes: 4096 }).then(
		({ code, timedOut }) => (timedOut ? 'did not end within an hour' : code === 0 ? undefined : `ended with ${code}`),
		(error: NodeJS.ErrnoException) => `could not be started (${error.code ?? 'unknown'})`
	);
	if (why === undefined) return exit.ok;
	process.stderr.write(`The backup was made and stays, but ${hook} ${why}. Look there, and run it again by hand.\n`);
	return exit.checkFailed;
}

async function verify(invocation: ToolInvocation, file: string): Promise<Exit> {
	const { options, print } = invocation;
	const { rehearse } = await import('../lib/server/backup/restore.ts');
	const { manifest, findings } = await rehearse(file, await openWithOf(options));
	if (options['json'] === true) print(JSON.stringify({ manifest, findings }));
	else
		for (const line of [`Made ${new Date(manifest.madeAt).toISOString()} on ${manifest.host}.`, ...findings])
			print(line);
	await rememberRehearsal(invocation, file);
	return exit.ok;
}

/** Where there is a panel, its health page says when a restore was rehearsed last; elsewhere nobody has to know. */
async function rememberRehearsal({ env, log, assertPanel }: ToolInvocation, file: string): Promise<void> {
	try {
		assertPanel();
	} catch {
		return;
	}
	try {
		const { openApp } = await import('../lib/server/app.ts');
		const { runAudited } = await import('../lib/server/gate.ts');
		const app = await openApp(env, { log });
		try {
			const action = { caller: callerOf(), action: 'backup.verify', input: { file: basename(file) } };
			await runAudited(app, action, () => Promise.resolve({ id: resolve(file) }));
		} finally {
			app.close();
		}
	} catch {
		process.stderr.write(
			'The rehearsal went well. That it did is written down nowhere: the panel could not be opened.\n'
		);
	}
}

export async function openWithOf(options: ToolInvocation['options']) {
	const { applierKey } = await import('../lib/server/core/secret.ts');
	const passphraseFile = text(options['passphrase-file']);
	const keyFile = text(options['key-file']);
	try {
		return {
			...(passphraseFile !== undefined && { passphrase: readPassphrase(passphraseFile) }),
			...(keyFile !== undefined && { key: applierKey(readPrivateKey(keyFile)) })
		};
	} catch (error) {
		if (error instanceof UsageError) throw error;
		throw new UsageError('The key file holds no private key. Nothing was done.');
	}
}

async function newRecipient({ print }: ToolInvocation, path: string): Promise<Exit> {
	const { newApplierKey } = await import('../lib/server/core/secret.ts');
	const { createWholeFile } = await import('../lib/server/core/key-files.ts');
	if (existsSync(path)) throw new UsageError(`${path} is there already. It was left as it is. Choose another name.`);
	const key = newApplierKey();
	createWholeFile(path, `${key.toString('base64')}\n`);
	const publicKey = createPublicKey({ key, format: 'der', type: 'pkcs8' } as never).export({ format: 'jwk' }).x;
	print(`kumomta-backup-${publicKey ?? ''}`);
	process.stderr.write(`The private half is in ${path}. Keep it away from this server: it opens every backup.\n`);
	return exit.ok;
}
