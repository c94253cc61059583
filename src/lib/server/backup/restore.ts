import { randomBytes } from 'node:crypto';
import { constants, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { giveToOwnerOf } from '../core/data-owner.ts';
import { isDiskFull } from '../core/errors.ts';
import type { FaultPoint } from '../host/files.ts';
import { giveAccess } from './access.ts';
import type { Owners } from './access.ts';
import { unpack } from './archive.ts';
import type { Manifest } from './archive.ts';
import { readContainer } from './container.ts';
import type { OpenWith } from './container.ts';
import { refused } from './damage.ts';
import { exchange, undoExchange } from './exchange.ts';
import { assertKeysFit } from './keys-fit.ts';
import { holdDatabase, takeRestoreLock } from './lock.ts';
import { stagedAt, stagedIn } from './places.ts';
import type { Places, Staged } from './places.ts';
import { planOf } from './plan.ts';
import { examine } from './rehearse.ts';
import type { Findings } from './rehearse.ts';

export interface RestoreWish {
	file: string;
	openWith: OpenWith;
	places: Places;
	/** Users to whom KumoMTA's and Dovecot's files belong; what is not there changes no owner. */
	owners: Owners;
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
	/** Set when Dovecot's files were left out: it is not installed here, or lies elsewhere. */
	dovecotLeftOut: boolean;
}

/** Unpacks into a folder of its own, examines everything, and removes the folder. */
export async function rehearse(file: string, openWith: OpenWith): Promise<{ manifest: Manifest; findings: Findings }> {
	const directory = await mkdtemp(join(tmpdir(), 'kumomta-ui-rehearsal-'));
	try {
		const staged = stagedIn({
			data: directory,
			database: directory,
			etc: directory,
			dovecot: directory,
			applier: directory
		});
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
		const staged = stageFor(places, suffix, staging);
		const manifest = await unpackInto(wish.file, wish.openWith, staged, wish.onFile);
		await faultPoint('restore.unpacked');
		const findings = [
			...(await examine(staged, manifest)),
			...(await assertKeysFit(manifest, staged.database, places.applierKey))
		];
		const { plan, ...leftOut } = planOf(manifest, { staged, staging, places, suffix });
		if (manifest.migration !== null) await wish.prepare?.(join(staged.database, 'panel.db'));
		giveAccess(manifest, staged, { data: places.data, applierKey: places.applierKey, owners: wish.owners });
		await faultPoint('restore.examined');
		const letGo = await holdDatabase(places.databaseFile);
		try {
			const kept = plan.steps.filter(({ target }) => existsSync(target)).map((step) => step.kept);
			await exchange(places.data, plan, faultPoint);
			return { manifest, findings, kept, ...leftOut };
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

const stagingName = /^\.restore-\d{8}T\d{9}Z-[0-9a-f]{6}$/;

/** One for each place. Where Dovecot or an applier is not, its files are staged with the panel's and go nowhere. */
function stageFor(places: Places, suffix: string, staging: string[]): Staged {
	const made = new Map<string, string>();
	const roots = (directory: string) => {
		const known = made.get(directory);
		if (known !== undefined) return known;
		const path = newStaging(directory, suffix);
		made.set(directory, path);
		staging.push(path);
		return path;
	};
	return stagedIn({
		data: roots(places.data),
		database: roots(places.database),
		etc: roots(places.etc),
		dovecot: roots(existsSync(places.dovecot) ? places.dovecot : places.data),
		applier: roots(dirname(places.applierKey))
	});
}

/** On the file system of its target, so that a rename is enough; what a killed run left goes. */
function newStaging(directory: string, suffix: string): string {
	const first = mkdirSync(directory, { recursive: true, mode: 0o755 });
	if (first !== undefined) giveToOwnerOf(dirname(first), first, directory);
	const own = `.restore-${suffix}`;
	for (const name of readdirSync(directory))
		if (stagingName.test(name) && name !== own) rmSync(join(directory, name), { recursive: true, force: true });
	const path = join(directory, own);
	mkdirSync(path, { recursive: true, mode: 0o700 });
	// So that a start of the panel may remove what a killed restore of root left.
	giveToOwnerOf(directory, path);
	return path;
}

async function unpackInto(file: string, openWith: OpenWith, staged: Staged, onFile?: (bytes: number) => void) {
	const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
		throw refused('no-backup', `The file cannot be read (${error.code ?? 'unknown'}).`, 'Look at its name and mode.');
	});
	try {
		if (!(await handle.stat()).isFile()) throw refused('no-backup', 'This is no regular file.', 'Name a backup.');
		return await unpack(readContainer(handle, openWith), stagedAt(staged), onFile);
	} finally {
		await handle.close();
	}
}

function fullDisk(error: unknown): unknown {
	if (!isDiskFull(error)) return error;
	return refused('disk-full', 'The disk is full.', 'Make room and run the restore again.');
}
