import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { counted } from '../lib/shared/counted.ts';
import type { App } from '../lib/server/app.ts';
import type { Restored } from '../lib/server/backup/restore.ts';
import { openWithOf } from './backup.ts';
import { exit } from './command.ts';
import type { Exit, Tool, ToolInvocation } from './command.ts';
import { progress } from './progress.ts';

export const restore: Tool = {
	help: 'Puts a backup in place, here or on an empty host; the panel must be stopped.',
	takes: ['file'],
	options: {
		into: { type: 'string', value: 'directory', help: 'As DATA_DIR, with KumoMTA’s files in kumomta/ below it.' },
		'passphrase-file': { type: 'string', value: 'path', help: 'Its first line opens the backup (mode 600).' },
		'key-file': { type: 'string', value: 'path', help: 'The private half of the recipient key.' },
		json: { type: 'boolean', help: 'As JSON.' }
	},
	run: restoreHere
};

async function restoreHere({ env, options, given, print }: ToolInvocation): Promise<Exit> {
	process.umask(0o077);
	const { into } = options;
	const { placesBelow, placesOf } = await import('../lib/server/backup/places.ts');
	const service = await import('../lib/server/backup/restore.ts');
	const { createHost } = await import('../lib/server/host/host.ts');
	const openWith = await openWithOf(options);
	const host = createHost();
	const shown = progress('Restore:');
	const places = typeof into === 'string' ? placesBelow(resolve(into)) : placesOf(env);
	const releaseApply = await holdApplies(dirname(places.etc));
	let bytes = 0;
	try {
		const file = resolve(given['file'] ?? '');
		const restored = await service.restore({
			file,
			openWith,
			places,
			owners: { kumod: host.findUser('kumod'), dovecot: host.findUser('dovecot') },
			at: Date.now(),
			prepare: (path) => audit(path, file),
			onFile: (more) => shown.at(`${Math.round((bytes += more) / 1024 / 1024)} MB`)
		});
		shown.end();
		if (options['json'] === true) print(JSON.stringify({ ...restored, left: leftToDo(restored) }));
		else for (const line of report(restored)) print(line);
		return exit.ok;
	} finally {
		shown.end();
		releaseApply();
	}
}

/** No apply may write what a restore exchanges. */
async function holdApplies(kumomtaRoot: string): Promise<() => void> {
	const { policyRoots } = await import('../lib/server/policy/roots.ts');
	const { takeLock } = await import('../lib/server/policy/lock.ts');
	const roots = policyRoots(kumomtaRoot);
	if (!existsSync(roots.policy)) return () => {};
	return takeLock(roots, { actor: `cli:${process.getuid?.() ?? 'unknown'}`, since: Date.now(), pid: process.pid });
}

/** The row is in the restored database from its first moment; its schema is brought up to date at the next start. */
async function audit(path: string, file: string): Promise<void> {
	const { openDatabase } = await import('../lib/server/core/database.ts');
	const { startAudit, finishAudit } = await import('../lib/server/audit/service.ts');
	const database = await openDatabase(`file:${path}`);
	try {
		const app = { db: database.db, clock: Date.now } as App;
		const actor = `cli:${process.getuid?.() ?? 'unknown'}`;
		const caller = { actor, name: actor, userId: null, sessionId: null };
		const start = { caller, action: 'backup.restore', target: file, input: { file }, address: null };
		const id = await startAudit(app, { ...start, requestId: 'local', outcome: 'started', reason: null });
		await finishAudit(app, id, { outcome: 'ok', reason: null, target: file });
		await database.client.execute('PRAGMA journal_mode = DELETE');
	} finally {
		database.close();
	}
}

function report(restored: Restored): string[] {
	const { manifest, findings, kept } = restored;
	return [
		`Restored: the state of ${new Date(manifest.madeAt).toISOString()} on ${manifest.host}, ${counted(manifest.files.length, 'file')}.`,
		...findings,
		...(kept.length > 0
			? ['What was there before lies beside, and can be removed later:', ...kept.map((path) => `  ${path}`)]
			: []),
		'Left to do:',
		...leftToDo(restored).map((line) => `  - ${line}`)
	];
}

function leftToDo({ manifest, initLeftOut, dovecotLeftOut }: Restored): string[] {
	return [
		'Start the panel (systemctl start kumomta-ui). It brings the database to its version.',
		...(manifest.migration === null ? ['Restore the database of the libSQL server by its own means.'] : []),
		...(initLeftOut ? ['The live policy named another directory and was left out.'] : []),
		...(dovecotLeftOut
			? ['Dovecot’s files were left out, since it is not installed here or lies elsewhere: the next apply makes them.']
			: manifest.files.some(({ path }) => path.startsWith('dovecot/'))
				? ['Let Dovecot read its files again (systemctl reload dovecot).']
				: []),
		'Review and apply the policy: what was edited after the last apply is pending again.',
		...(manifest.withKeys
			? []
			: ['DKIM key files were not in the backup: the next apply writes them, if applier.key is the right one.']),
		'Mail of bounce accounts is in no backup, their settings are: copy <MAIL_ROOT> by itself if it is to stay.',
		'TLS files are in no backup: put them into <KUMOMTA_ROOT>/etc/tls, or get new certificates.',
		'On a new host: set the addresses of the sources, then PTR, SPF and A records; the page DNS says which.'
	];
}
