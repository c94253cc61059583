import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { App } from '../../app.ts';
import { assetPath } from '../../core/assets.ts';
import { errnoOf } from '../../host/file-errors.ts';
import type { Host } from '../../host/host.ts';
import { policyAccess } from '../roots.ts';
import { metaNames, readAnswers } from './steps.ts';
import type { Printed, Step } from './steps.ts';

/** What the program reads of its revision. */
const neededFiles = ['program.lua', 'custom.lua', 'node.toml', 'shaping.toml', 'directory.sqlite'];
/** One simulation runs in kumod; so many more wait for their turn. */
const mostWaiting = 3;
/** KumoMTA writes a file of that name into its own tree where the environment names no node. */
const nodeId = '00000000-0000-4000-8000-000000000000';

/** A revision that kumod can read, outside of KumoMTA's own tree. */
export interface KumodRun {
	/** What KumoMTA answers to these steps, as far as it did; with the reason, in words, why it may not be all. */
	ask: (steps: readonly Step[], timeoutMs: number) => Promise<Printed & { problem?: string }>;
	discard: () => Promise<void>;
}

/**
 * @param directory of the revision, named like it; it is copied now and may go away
 */
export async function prepareRun(host: Host, bin: string, directory: string): Promise<KumodRun> {
	const { directory: access, file } = policyAccess(host);
	const parent = await mkdtemp(join(tmpdir(), 'kumomta-ui-simulation-'));
	const discard = () => host.files.remove(parent);
	const put = (name: string, text: string) => host.files.replaceFile(join(parent, name), text, file);
	try {
		const copy = join(parent, basename(directory));
		for (const each of [parent, copy]) await host.files.makeDirectory(each, access);
		for (const each of neededFiles) {
			if ((await host.files.stat(join(directory, each))) === undefined) continue;
			await copyFile(join(directory, each), join(copy, each), constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
			await host.files.settle(join(copy, each), file);
		}
		await put('driver.lua', await readFile(assetPath('kumod-driver.lua'), 'utf8'));
		await put('simulate.lua', firstLines(parent, copy));
		return {
			discard,
			ask: async (steps, timeoutMs) => {
				const mark = `kumomta-ui-${randomBytes(8).toString('hex')} `;
				await put('steps.json', JSON.stringify({ mark, steps, metas: metaNames, standIns: standIns() }));
				const { output, problem } = await runScript(host, bin, join(parent, 'simulate.lua'), timeoutMs);
				return { ...readAnswers(output, mark, steps), ...(problem === undefined ? {} : { problem }) };
			}
		};
	} catch (error) {
		await discard();
		throw error;
	}
}

/** Only these paths stand in Lua; they are made of letters, digits and `._/-`. */
function firstLines(parent: string, copy: string): string {
	if (!/^[A-Za-z0-9._/-]+$/.test(copy)) throw new Error('The revision directory has a name that may not stand in Lua.');
	return `KUMOMTA_UI_REVISION_DIRECTORY = '${copy}'
KUMOMTA_UI_STEPS = '${parent}/steps.json'
dofile '${parent}/driver.lua'
`;
}

async function runScript(
	host: Host,
	bin: string,
	script: string,
	timeoutMs: number
): Promise<{ output: string; problem?: string }> {
	const asKumod = policyAccess(host).kumod === undefined ? [] : ['--user', 'kumod'];
	const args = ['--policy', script, '--script', ...asKumod];
	const limits = { timeoutMs, maxBytes: 4_194_304, env: { KUMO_NODE_ID: nodeId } };
	try {
		const { code, timedOut, stdout: output } = await host.run(bin, args, limits);
		if (timedOut) return { output, problem: 'it did not answer in time' };
		if (code === 0) return { output };
		return { output, problem: `kumod ended with ${code === null ? 'a signal' : `code ${code}`}` };
	} catch (error) {
		const code = errnoOf(error);
		if (code === undefined) throw error;
		return { output: '', problem: `kumod cannot be run (${code})` };
	}
}

let keys: { rsa: string; ed25519: string } | undefined;

/** Private keys of nobody, for signatures that are never sent. */
function standIns(): { rsa: string; ed25519: string } {
	keys ??= {
		rsa: pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 })),
		ed25519: pemOf(generateKeyPairSync('ed25519'))
	};
	return keys;
}

const pemOf = ({ privateKey }: { privateKey: KeyObject }) =>
	privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

interface Queue {
	last: Promise<unknown>;
	waiting: number;
}
const queues = new WeakMap<App['database'], Queue>();

/** One after the other: each kumod loads the packaged shaping anew. Undefined when too many wait already. */
export async function inKumodTurn<T>(app: App, work: () => Promise<T>): Promise<T | undefined> {
	const queue = queues.get(app.database) ?? { last: Promise.resolve(), waiting: 0 };
	queues.set(app.database, queue);
	if (queue.waiting > mostWaiting) return undefined;
	queue.waiting += 1;
	const running = queue.last.then(work).finally(() => (queue.waiting -= 1));
	queue.last = running.catch(() => {});
	return running;
}
