import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, constants, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Owner, FaultPoint } from '../host/files.ts';
import { below, unpack } from './archive.ts';
import type { Manifest } from './archive.ts';
import { readContainer } from './container.ts';
import type { OpenWith } from './container.ts';
import { refused } from './damage.ts';
import { exchange, undoExchange } from './exchange.ts';
import type { Plan } from './exchange.ts';
import { holdDatabase, takeRestoreLock } from './lock.ts';
import type { Places } from './places.ts';
import { examine } from './rehearse.ts';
import type { Findings } from './rehearse.ts';

export interface RestoreWish {
	file: string;
	openWith: OpenWith;
	places: Places;
	/** Null where there is no such user, or this is not root. */
	kumod: Owner | undefined;
	at: number;
	/** Writes into the database that is about to take its place. */
	prepare?: (databasePath: string) => Promise<void>;
	faultPoint?: FaultPoint;
	onFile?: (bytes: number) => void;
}

export interface Restored {
	manifest: Manifest;
	findings: Findings;
	/** What was replaced, under its new name. */
	kept: string[];
	/** Set when the live policy was left out, since it names another directory. */
	initLeftOut: boolean;
}

/** Unpacks into a folder of its own, examines everything, and removes the folder. */
export async function rehearse(file: string, openWith: OpenWith): Promise<{ manifest: Manifest; findings: Findings }> {
	const directory = await mkdtemp(join(tmpdir(), 'kumomta-ui-rehearsal-'));
	try {
		const staged = stagedIn(directory, directory, directory);
		const manifest = await unpackInto(file, openWith, staged);
		return { manifest, findings: await examine(staged, manifest) };
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}

/**
 * Restores a backup: unpacks and proves it beside the places it goes to, then exchanges old and new as one step. What it
 * replaces stays beside under a name with the time.
 */
export async function restore(wish: RestoreWish): Promise<Restored> {
	const { places, faultPoint = () => {} } = wish;
	const release = takeRestoreLock(places.data);
	const staging: string[] = [];
	try {
		undoExchange(places.data);
		const suffix = `${stamp(wish.at)}-${randomBytes(3).toString('hex')}`;
		for (const directory of [places.data, places.database, places.etc]) staging.push(newStaging(directory, suffix));
		const staged = stagedIn(...(staging as [string, string, string]));
		const manifest = await unpackInto(wish.file, wish.openWith, staged, wish.onFile);
		await faultPoint('restore.unpacked');
		const findings = await examine(staged, manifest);
		assertKeysFit(manifest, places);
		const initLeftOut = join(manifest.kumomtaRoot, 'etc') !== places.etc;
		const plan = planOf(manifest, { staged, staging, places, suffix, initLeftOut });
		if (manifest.migration !== null) await wish.prepare?.(join(staged.database, 'panel.db'));
		giveAccess(manifest, staged, places, wish.kumod);
		await faultPoint('restore.examined');
		const letGo = await holdDatabase(places.databaseFile);
		try {
			const kept = plan.steps.filter(({ target }) => existsSync(target)).map((step) => step.kept);
			await exchange(places.data, plan, faultPoint);
			return { manifest, findings, kept, initLeftOut };
		} finally {
			await letGo();
		}
	} catch (error) {
		throw fullDisk(error);
	} finally {
		for (const directory of staging) rmSync(directory, { recursive: true, force: true });
		release();
	}
}

const stamp = (at: number) => new Date(at).toISOString().replace(/[-:.]/g, '');

const stagedIn = (data: string, database: string, etc: string) => ({
	data: join(data, 'data'),
	database: join(database, 'database'),
	etc: join(etc, 'etc')
});
type Staged = ReturnType<typeof stagedIn>;

const stagingName = /^\.restore-\d{8}T\d{9}Z-[0-9a-f]{6}$/;

/** On the file system of its target, so that a rename is enough; what a killed run left goes. */
function newStaging(directory: string, suffix: string): string {
	mkdirSync(directory, { recursive: true, mode: 0o755 });
	const own = `.restore-${suffix}`;
	for (const name of readdirSync(directory))
		if (stagingName.test(name) && name !== own) rmSync(join(directory, name), { recursive: true, force: true });
	const path = join(directory, own);
	mkdirSync(path, { recursive: true, mode: 0o700 });
	return path;
}

async function unpackInto(file: string, openWith: OpenWith, staged: Staged, onFile?: (bytes: number) => void) {
	const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
		throw refused('no-backup', `The file cannot be read (${error.code ?? 'unknown'}).`, 'Look at its name and mode.');
	});
	try {
		if (!(await handle.stat()).isFile()) throw refused('no-backup', 'This is no regular file.', 'Name a backup.');
		return await unpack(readContainer(handle, openWith), below(staged), onFile);
	} finally {
		await handle.close();
	}
}

/** A database whose keys are neither in the backup nor here could be started, and would make new keys that open nothing. */
function assertKeysFit({ withKeys, migration }: Manifest, { data }: Places): void {
	if (withKeys || migration === null || existsSync(join(data, 'applier.key'))) return;
	throw refused(
		'keys-missing',
		'The backup was made without the key files, and there are none here: its DKIM keys could not be opened.',
		`Put secret.key and applier.key (mode 600) into ${data} first.`
	);
}

function planOf(
	manifest: Manifest,
	{
		staged,
		staging,
		places,
		suffix,
		initLeftOut
	}: {
		staged: Staged;
		staging: string[];
		places: Places;
		suffix: string;
		initLeftOut: boolean;
	}
): Plan {
	const step = (from: string | undefined, target: string) => ({
		...(from !== undefined && { staged: from }),
		target,
		kept: `${target}.replaced-${suffix}`
	});
	const steps: Plan['steps'] = [];
	const has = (start: string) => manifest.files.some(({ path }) => path.startsWith(start));
	if (has('database/')) {
		// A log of the old database beside the new file would be played into it.
		for (const tail of ['-wal', '-shm', '-journal']) steps.push(step(undefined, `${places.databaseFile}${tail}`));
		steps.push(step(join(staged.database, 'panel.db'), places.databaseFile));
	}
	for (const name of ['secret.key', 'applier.key'])
		if (has(`data/${name}`)) steps.push(step(join(staged.data, name), join(places.data, name)));
	for (const name of ['dkim', 'dovecot'])
		if (has(`etc/${name}/`)) steps.push(step(join(staged.etc, name), join(places.etc, name)));
	const revisions = new Set(
		manifest.files.flatMap(({ path }) => /^etc\/(policy\/revisions\/[^/]+)\//.exec(path)?.[1] ?? [])
	);
	for (const name of revisions) steps.push(step(join(staged.etc, name), join(places.etc, name)));
	for (const { path } of manifest.files) {
		const name = /^etc\/(policy\/[^/]+)$/.exec(path)?.[1];
		if (name === undefined || (initLeftOut && name !== 'policy/custom.lua')) continue;
		steps.push(step(join(staged.etc, name), join(places.etc, name)));
	}
	return { steps, staging };
}

/** The panel's files belong to whom the data directory belongs; KumoMTA's to root and kumod, as an apply makes them. */
function giveAccess(manifest: Manifest, staged: Staged, places: Places, kumod: Owner | undefined): void {
	const panel = statSync(places.data);
	const isRoot = process.getuid?.() === 0;
	const to = below(staged);
	for (const { path, mode } of manifest.files) {
		const file = to(path);
		const isPolicy = path.startsWith('etc/');
		chmodSync(file, isPolicy ? mode : 0o600);
		if (!isRoot) continue;
		if (!isPolicy) chownSync(file, panel.uid, panel.gid);
		else if (kumod !== undefined) chownSync(file, path.startsWith('etc/dkim/') ? kumod.uid : 0, kumod.gid);
	}
	const directories = new Set(
		manifest.files.filter(({ path }) => path.startsWith('etc/')).flatMap(({ path }) => parents(path))
	);
	for (const path of directories) {
		chmodSync(to(path), 0o750);
		if (isRoot && kumod !== undefined) chownSync(to(path), 0, kumod.gid);
	}
}

function parents(path: string): string[] {
	const parent = dirname(path);
	return basename(parent) === 'etc' || parent === '.' ? [] : [parent, ...parents(parent)];
}

function fullDisk(error: unknown): unknown {
	const { code } = error as { code?: unknown };
	if (code !== 'ENOSPC' && code !== 'SQLITE_FULL') return error;
	return refused('disk-full', 'The disk is full.', 'Make room and run the restore again.');
}
