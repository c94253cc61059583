/**
 * The panel as its own user: a process that does one thing and prints its answer as JSON. Arguments: `fill <port of a
 * listener>`, `watch <seconds>`, `apply <answer after ms>`, `pause <number of a sender>`, `take-back <apply>`,
 * `outcome <apply>`, `settle`, or `try <JSON array of [what, path]>`.
 */
import {
	chmodSync,
	chownSync,
	linkSync,
	openSync,
	readdirSync,
	readFileSync,
	renameSync,
	symlinkSync,
	unlinkSync,
	writeFileSync
} from 'node:fs';
import { openApp } from '../../src/lib/server/app.ts';
import type { App } from '../../src/lib/server/app.ts';
import { readEnv } from '../../src/lib/server/core/env.ts';
import { createLog } from '../../src/lib/server/core/log.ts';
import { applyPending } from '../../src/lib/server/policy/apply.ts';
import { closeCompiler } from '../../src/lib/server/policy/compile.ts';
import { recoverApplies } from '../../src/lib/server/policy/recover.ts';
import { usualPatience } from '../../src/lib/server/policy/probe.ts';
import { getPreview, getProgress, getStatus } from '../../src/lib/server/policy/service.ts';
import { endWatch } from '../../src/lib/server/policy/watch-wishes.ts';
import { estateId } from './estate.ts';
import { fillEstate } from './policy-app.ts';

const [task = '', argument = ''] = process.argv.slice(2);
const who = { actor: 'cli:0', name: 'the child', userId: null, sessionId: null };

/** Each answers undefined when it was possible. */
const attempts: Record<string, (path: string) => unknown> = {
	read: (path) => readFileSync(path),
	list: (path) => readdirSync(path),
	write: (path) => writeFileSync(path, 'x', { flag: 'r+' }),
	append: (path) => openSync(path, 'a'),
	create: (path) => writeFileSync(`${path}/created`, 'x', { flag: 'wx' }),
	remove: (path) => unlinkSync(path),
	replace: (path) => renameSync(path, `${path}.aside`),
	chmod: (path) => chmodSync(path, 0o777),
	chown: (path) => chownSync(path, process.getuid?.() ?? -1, process.getgid?.() ?? -1),
	link: (path) => linkSync(path, `${process.env.DATA_DIR}/linked`),
	symlink: (path) => symlinkSync('/etc', `${path}/linked`)
};

function attempt([what, path]: [what: string, path: string]): string {
	try {
		attempts[what]?.(path);
		return 'possible';
	} catch (error) {
		return (error as NodeJS.ErrnoException).code ?? 'unknown';
	}
}

async function work(app: App): Promise<unknown> {
	const { client } = app.database;
	if (task === 'fill') {
		await fillEstate({ client, keys: app.keys }, { domains: 2, senders: 4 });
		const listeners = JSON.stringify([{ address: '127.0.0.1', port: Number(argument), purpose: 'inbound' }]);
		return client.execute({ sql: 'UPDATE settings SET listeners = ?, watch_seconds = 0', args: [listeners] });
	}
	if (task === 'watch')
		return client.execute({ sql: 'UPDATE settings SET watch_seconds = ?', args: [Number(argument)] });
	if (task === 'take-back') return endWatch(app, who, { applyId: argument, takeBack: true });
	if (task === 'outcome') {
		await recoverApplies(app);
		return (await getProgress(app, { applyId: argument })).outcome;
	}
	if (task === 'pause')
		return client.execute({
			sql: "UPDATE senders SET status = CASE status WHEN 'paused' THEN 'enabled' ELSE 'paused' END WHERE id = ?",
			args: [estateId('sender', Number(argument))]
		});
	if (task === 'settle') {
		await recoverApplies(app);
		return getStatus(app);
	}
	const { hash } = await getPreview(app);
	const answerAfterMs = argument === '' ? 60_000 : Number(argument);
	return applyPending(app, who, { expectedHash: hash }, { answerAfterMs, patience: usualPatience });
}

async function answer(): Promise<unknown> {
	if (task === 'try') return (JSON.parse(argument) as [string, string][]).map(attempt);
	const app = await openApp(readEnv(process.env), { log: createLog('error') });
	try {
		return await work(app);
	} finally {
		await closeCompiler(app);
		app.close();
	}
}

answer().then(
	(value) => {
		process.stdout.write(`${JSON.stringify(value ?? null)}\n`);
		process.exit(0);
	},
	(error: unknown) => {
		process.stdout.write(`${JSON.stringify({ error: String(error), stack: (error as Error).stack })}\n`);
		process.exit(1);
	}
);
