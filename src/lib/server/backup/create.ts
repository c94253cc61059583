import { randomBytes } from 'node:crypto';
import { constants, existsSync, statSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { App } from '../app.ts';
import { giveToOwnerOf } from '../core/data-owner.ts';
import { isDiskFull, UserError } from '../core/errors.ts';
import { readVersion } from '../core/version.ts';
import { addFile, addManifest } from './archive.ts';
import type { Manifest } from './archive.ts';
import { collectFiles } from './collect.ts';
import { writeContainer } from './container.ts';
import type { SealWith } from './container.ts';

export interface Backup {
	/** The path of the file. */
	id: string;
	bytes: number;
	manifest: Manifest;
	/** Older backups that made room. */
	removed: string[];
	leftOut: string[];
}

export interface BackupWish {
	/** A file that must not be there yet, or a directory; absent: `<DATA_DIR>/backups`. */
	out?: string | undefined;
	sealWith: SealWith;
	withoutKeys?: boolean;
	/** How many backups stay in the directory, this one included. */
	keep?: number | undefined;
	onFile?: (done: number, of: number) => void;
}

const ownName = /^kumomta-ui-\d{8}T\d{9}Z\.backup$/;
const product = 'KumoMTA UI';

/**
 * Makes one file of the database, as it is at one moment, and the files that belong to it. Others may write meanwhile.
 * The copy of the database lies in the data directory until it is in the file; nothing is left when this fails.
 */
export async function createBackup(app: App, wish: BackupWish): Promise<Backup> {
	const staging = await newStaging(app);
	try {
		const path = await targetOf(app, wish.out);
		const copied = await copyDatabase(app, staging);
		await app.host.faultPoint('backup.copied');
		const written = await writeWhole(app, path, { ...wish, copied });
		return { ...written, removed: wish.keep === undefined ? [] : await rotate(path, wish.keep) };
	} catch (error) {
		throw fullDisk(error);
	} finally {
		await rm(staging, { recursive: true, force: true });
	}
}

const stagingName = /^\.backup-[0-9a-f]{12}$/;

/** What an earlier, killed run left goes first: it is a copy of the whole database. */
async function newStaging(app: App): Promise<string> {
	const directory = join(app.env.dataDir, 'backups');
	await mkdir(directory, { recursive: true, mode: 0o700 });
	giveToOwnerOf(app.env.dataDir, directory);
	const anHourAgo = Date.now() - 3_600_000;
	for (const name of await readdir(directory)) {
		const path = join(directory, name);
		const isLeft = stagingName.test(name) || partialName.test(name);
		if (isLeft && statSync(path).mtimeMs < anHourAgo) await rm(path, { recursive: true, force: true });
	}
	const staging = join(directory, `.backup-${randomBytes(6).toString('hex')}`);
	await mkdir(staging, { mode: 0o700 });
	return staging;
}

const partialName = /^\..+\.[0-9a-f]{12}\.part$/;

async function targetOf(app: App, out: string | undefined): Promise<string> {
	const stamp = new Date(app.clock()).toISOString().replace(/[-:.]/g, '');
	const isDirectory = out === undefined || (existsSync(out) && statSync(out).isDirectory());
	const path = isDirectory ? join(out ?? join(app.env.dataDir, 'backups'), `kumomta-ui-${stamp}.backup`) : out;
	if (existsSync(path))
		throw new UserError('CONFLICT', `${path} is there already. It was left as it is. Choose another name.`, {
			reason: 'file-exists'
		});
	if (!existsSync(dirname(path)))
		throw new UserError('BAD_REQUEST', `There is no directory ${dirname(path)}. No backup was made. Make it first.`, {
			reason: 'no-such-directory'
		});
	return path;
}

/** VACUUM INTO reads one moment of the database, whoever writes beside (sqlite.org/lang_vacuum.html). */
async function copyDatabase(
	{ env, database }: App,
	staging: string
): Promise<{ path: string; migration: number } | null> {
	if (!env.databaseUrl.startsWith('file:')) return null;
	const path = join(staging, 'panel.db');
	await database.client.execute({ sql: 'VACUUM INTO ?', args: [path] });
	const { rows } = await database.client.execute('SELECT max(created_at) FROM __drizzle_migrations');
	return { path, migration: Number(rows[0]?.[0] ?? 0) };
}

interface Written {
	copied: { path: string; migration: number } | null;
}

async function writeWhole(
	app: App,
	path: string,
	{ copied, sealWith, withoutKeys, onFile }: BackupWish & Written
): Promise<Omit<Backup, 'removed'>> {
	const withKeys = sealWith !== 'nothing' && withoutKeys !== true;
	const { parts, liveRevision, leftOut } = await collectFiles(app, withKeys);
	if (copied !== null) parts.unshift({ name: 'database/panel.db', from: copied.path });
	const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.part`);
	const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
	const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
	try {
		const writer = await writeContainer(file, sealWith);
		const manifest: Manifest = {
			format: 1,
			product,
			version: readVersion(),
			madeAt: app.clock(),
			host: hostname(),
			kumomtaRoot: app.env.systemRoot,
			dovecotEtc: app.env.dovecotEtc,
			migration: copied?.migration ?? null,
			withKeys,
			liveRevision,
			files: []
		};
		for (const { name, from } of parts) {
			manifest.files.push(await addFile(writer, name, from));
			await app.host.faultPoint(`backup.file ${name}`);
			onFile?.(manifest.files.length, parts.length);
		}
		await addManifest(writer, manifest);
		await writer.end();
		await app.host.faultPoint('backup.written');
		await file.sync();
		const { size } = await file.stat();
		await app.host.faultPoint('backup.before-rename');
		if (dirname(path) === join(app.env.dataDir, 'backups')) giveToOwnerOf(app.env.dataDir, temporary);
		await rename(temporary, path);
		await app.host.faultPoint('backup.renamed');
		await app.host.files.syncDirectory(dirname(path));
		return { id: path, bytes: size, manifest, leftOut };
	} finally {
		await file.close();
		await rm(temporary, { force: true });
	}
}

/** Only files with the name that this command gives, the oldest first; the new one never. */
async function rotate(path: string, keep: number): Promise<string[]> {
	const directory = dirname(path);
	const others = (await readdir(directory)).filter((name) => ownName.test(name) && name !== basename(path)).sort();
	const surplus = others.slice(0, Math.max(0, others.length - (keep - 1)));
	for (const name of surplus) await rm(join(directory, name));
	return surplus.map((name) => join(directory, name));
}

function fullDisk(error: unknown): unknown {
	if (!isDiskFull(error)) return error;
	return new UserError(
		'PRECONDITION_FAILED',
		'The disk is full. No backup was made; the panel and its older backups are as they were. Make room, or name another directory with --out.',
		{ reason: 'disk-full' }
	);
}
