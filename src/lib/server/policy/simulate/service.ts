import { randomBytes } from 'node:crypto';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import type { App } from '../../app.ts';
import { readManifest } from '../revision.ts';
import { directoryOf, waitForPending } from '../service.ts';
import { differingFiles } from '../stage.ts';
import type * as inputs from './inputs.ts';
import { playInKumod } from './in-kumod.ts';
import { prepareRun } from './kumod-run.ts';
import { openSimulator } from './simulator.ts';
import type { Simulator } from './simulator.ts';
import type { Asked } from './steps.ts';

/** A revision that stays open while somebody tries one message after another. */
interface Kept {
	/** Of the revision, and where it lies. */
	key: string;
	hash: string;
	directory: string;
	/** Its files that are not what its manifest says. */
	changed: string[];
	simulator: Simulator;
	release: () => Promise<void>;
	idle: NodeJS.Timeout;
}

const keptForMs = 30_000;
const kept = new WeakMap<App['database'], Kept>();
const queues = new WeakMap<App['database'], Promise<unknown>>();

/**
 * What KumoMTA would do with a message, by a revision's own program. Changes nothing.
 * @throws UserError no-such-revision, cannot-simulate, no-such-listener, simulation-timeout, and what makes a policy unreadable
 */
export async function simulate(
	app: App,
	{ revision, ...message }: z.infer<typeof inputs.simulate>
): Promise<inputs.SimulateAnswer> {
	const { kumodBin } = app.env;
	const opened = () => open(app, revision);
	const first = await inTurn(app, async () => {
		const { hash, changed, directory, simulator } = await opened();
		if (kumodBin === undefined) return { hash, changed, simulation: await simulator.run(message, { lists: true }) };
		const played = await simulator.play(message, []);
		return { hash, changed, played, run: await prepareRun(app.host, kumodBin, directory) };
	});
	const { hash, changed } = first;
	const replay = (known: Asked[]) =>
		inTurn(app, async () => {
			const again = await opened();
			return again.hash === hash ? again.simulator.play(message, known) : undefined;
		});
	const simulation =
		first.run === undefined ? first.simulation : await playInKumod(app, first.run, first.played, replay);
	return { revision: revision ?? null, hash, ...withChanged(simulation, changed) };
}

function withChanged(simulation: inputs.Simulation, changed: string[]): inputs.Simulation {
	if (changed.length === 0) return simulation;
	const text = `This revision was changed by hand after it was made (${changed.join(', ')}): what ran is what lies there now.`;
	return { ...simulation, unknowns: [{ code: 'files-changed', text }, ...simulation.unknowns] };
}

/**
 * Several messages to one revision, undefined for what an apply would make now.
 * @throws UserError no-such-revision, what makes a policy unreadable, and what `work` throws
 */
export async function withSimulator<T>(
	app: App,
	revision: number | undefined,
	work: (run: Simulator['run']) => Promise<T>
): Promise<T> {
	return inTurn(app, async () => {
		const { simulator, idle } = await open(app, revision);
		return work((message) => {
			idle.refresh();
			return simulator.run(message);
		});
	});
}

function inTurn<T>(app: App, work: () => Promise<T>): Promise<T> {
	const running = (queues.get(app.database) ?? Promise.resolve()).then(work);
	queues.set(
		app.database,
		running.catch(() => {})
	);
	return running;
}

const open = (app: App, revision: number | undefined): Promise<Kept> =>
	revision === undefined ? openPending(app) : openPast(app, revision);

async function openPending(app: App): Promise<Kept> {
	const pending = await waitForPending(app);
	const { hash, manifest, directory } = pending;
	const key = `pending ${hash}`;
	const known = await reuse(app, key);
	if (known !== undefined) {
		pending.release();
		return known;
	}
	// The program wants a directory that is named like its revision.
	const parent = join(dirname(directory), `simulated-${randomBytes(6).toString('hex')}`);
	await mkdir(parent, { mode: 0o700 });
	await symlink(directory, join(parent, manifest.revision));
	return keep(app, { key, hash, directory: join(parent, manifest.revision), changed: [] }, async () => {
		await rm(parent, { recursive: true, force: true });
		pending.release();
	});
}

async function openPast(app: App, revision: number): Promise<Kept> {
	const directory = await directoryOf(app, revision);
	const manifest = readManifest(directory);
	const changed = await differingFiles(app.host, directory, manifest);
	const { hash } = manifest;
	const key = `${revision} ${hash} ${changed.join(' ')}`;
	return (await reuse(app, key)) ?? keep(app, { key, hash, directory, changed }, async () => {});
}

/** Only one is kept: another one closes it. */
async function reuse(app: App, key: string): Promise<Kept | undefined> {
	const known = kept.get(app.database);
	if (known === undefined) return undefined;
	if (known.key !== key) {
		await closeSimulator(app);
		return undefined;
	}
	known.idle.refresh();
	return known;
}

function keep(
	app: App,
	named: Pick<Kept, 'key' | 'hash' | 'directory' | 'changed'>,
	release: () => Promise<void>
): Kept {
	const idle = setTimeout(() => void closeSimulator(app), keptForMs).unref();
	const made: Kept = { ...named, simulator: openSimulator(named.directory), release, idle };
	kept.set(app.database, made);
	return made;
}

/** Ends the thread and forgets what it looked at. The app may go on. */
export async function closeSimulator(app: App): Promise<void> {
	const known = kept.get(app.database);
	if (known === undefined) return;
	kept.delete(app.database);
	clearTimeout(known.idle);
	await known.simulator.close();
	await known.release();
}
