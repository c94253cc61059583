import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UserError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import type { Owner } from '../host/files.ts';
import type { Host } from '../host/host.ts';
import { readKeys } from './directory.ts';
import type { RevisionKey } from './directory.ts';
import { readManifest } from './revision.ts';
import type { Manifest } from './revision.ts';
import { policyAccess } from './roots.ts';
import type { PolicyRoots } from './roots.ts';

export interface Staging {
	host: Host;
	roots: PolicyRoots;
	/** `<number>-<hash12>` */
	revision: string;
	/** Writes every file of the revision, manifest.json included, into an empty directory. */
	write: (directory: string, linkDirectoryFrom: string | null) => Promise<unknown>;
	/** The live revision, when its directory.sqlite has the same data. */
	sameData: Manifest | undefined;
	/** Who must be able to read the files; undefined where KumoMTA's user does not exist. */
	reader: Owner | undefined;
	/** PKCS#8 PEM of keys by id, for those whose file is missing. */
	privateKeys: (keys: RevisionKey[]) => Promise<Map<string, Secret>>;
}

export interface Staged {
	directory: string;
	manifest: Manifest;
	newKeys: number;
}

/**
 * Puts a revision on disk beside the live one, whole and synced, and the key files it needs. Nothing that is live is
 * touched: a new revision has a directory of its own, and a key file that is there is never written again.
 */
export async function stageRevision(staging: Staging): Promise<Staged> {
	const { directory, manifest } = await stageFiles(staging);
	await staging.host.faultPoint('stage.before-keys');
	const newKeys = await writeMissingKeys(staging, directory);
	await verifyTls(staging, manifest.settings.tlsName);
	return { directory, manifest, newKeys };
}

/** The files of a revision, without the keys and the TLS files that KumoMTA needs for it. */
export async function stageFiles(staging: Omit<Staging, 'privateKeys' | 'reader'>): Promise<Omit<Staged, 'newKeys'>> {
	const { host, roots, revision } = staging;
	const { directory: access } = policyAccess(host);
	const unfinished = join(roots.revisions, `.staging-${revision}`);
	const directory = join(roots.revisions, revision);
	await host.files.remove(unfinished);
	await host.files.makeDirectory(unfinished, access);
	await staging.write(unfinished, await findLink(staging));
	await host.faultPoint('stage.written');
	const manifest = await settleFiles(staging, unfinished);
	await host.faultPoint('stage.before-rename');
	await host.files.rename(unfinished, directory);
	return { directory, manifest };
}

async function settleFiles(
	{ host, revision }: Pick<Staging, 'host' | 'revision'>,
	directory: string
): Promise<Manifest> {
	const { file, directory: access } = policyAccess(host);
	for (const name of await host.files.list(directory)) await host.files.settle(join(directory, name), file);
	await host.files.syncDirectory(directory);
	await host.files.makeDirectory(directory, access);
	const manifest = readManifest(directory);
	if (manifest.revision !== revision) throw new Error('The manifest names another revision than its directory.');
	const wrong = await differingFiles(host, directory, manifest);
	if (wrong.length > 0) throw new Error(`The staged revision differs from its manifest: ${wrong.join(', ')}`);
	return manifest;
}

/** Unchanged data shares one file between revisions, as long as nobody changed that file. */
async function findLink({
	host,
	roots,
	sameData
}: Pick<Staging, 'host' | 'roots' | 'sameData'>): Promise<string | null> {
	if (sameData === undefined) return null;
	const path = join(roots.revisions, sameData.revision, 'directory.sqlite');
	const wanted = sameData.files.find((file) => file.path === 'directory.sqlite')?.sha256;
	const state = await host.files.stat(path);
	return state?.kind === 'file' && (await host.files.hashOf(path)) === wanted ? path : null;
}

/** Names of files of a revision that are missing or not what its manifest says. Unchanged ones cost one stat each. */
export async function differingFiles(host: Host, directory: string, manifest: Manifest): Promise<string[]> {
	const wrong: string[] = [];
	for (const { path, sha256 } of manifest.files) {
		const file = join(directory, path);
		const state = await host.files.stat(file);
		if (state?.kind !== 'file' || (await host.files.hashOf(file)) !== sha256) wrong.push(path);
	}
	return wrong;
}

const keyFile = (roots: PolicyRoots, { domain, selector }: RevisionKey) => join(roots.dkim, domain, `${selector}.key`);
const batchSize = 500;

async function writeMissingKeys(staging: Staging, directory: string): Promise<number> {
	let written = 0;
	const missing: RevisionKey[] = [];
	let seen = 0;
	for (const key of readKeys(join(directory, 'directory.sqlite'))) {
		const isThere = await verifyKeyFile(staging, key);
		if (!isThere) missing.push(key);
		if (missing.length === batchSize) written += await writeKeys(staging, missing.splice(0));
		if (++seen % 200 === 0) await nextTurn();
	}
	return written + (await writeKeys(staging, missing));
}

async function writeKeys(staging: Staging, keys: RevisionKey[]): Promise<number> {
	if (keys.length === 0) return 0;
	const { host, roots } = staging;
	const access = policyAccess(host);
	const privateKeys = await staging.privateKeys(keys);
	for (const key of keys) {
		const pem = privateKeys.get(key.id);
		if (pem === undefined) throw keyProblem(roots, key, 'its file is missing and the panel no longer has the key');
		await host.files.makeDirectory(join(roots.dkim, key.domain), access.directory);
		await host.files.createFile(keyFile(roots, key), pem.open(), access.key);
		await host.faultPoint('stage.key-written');
		if (!(await verifyKeyFile(staging, key))) throw keyProblem(roots, key, 'its file is gone again');
	}
	return keys.length;
}

/** KumoMTA answers 421 to all mail of a domain whose key it cannot read, so each file is looked at before a swap. */
async function verifyKeyFile({ host, roots, reader }: Staging, key: RevisionKey): Promise<boolean> {
	const path = keyFile(roots, key);
	const parent = await host.files.stat(join(roots.dkim, key.domain));
	if (parent !== undefined && parent.kind !== 'directory')
		throw keyProblem(roots, key, 'its directory is a link or a file');
	const state = await host.files.stat(path);
	if (state === undefined) return false;
	if (state.kind !== 'file') throw keyProblem(roots, key, 'it is not a regular file');
	if ((state.mode & 0o077) !== 0) throw keyProblem(roots, key, `others can read it; run: chmod 600 ${path}`);
	if (!isOwnedBy(state, reader)) throw keyProblem(roots, key, `kumod does not own it; run: chown kumod:kumod ${path}`);
	if ((await host.files.hashOf(path)) !== key.hash)
		throw keyProblem(roots, key, 'it holds another key than the panel made');
	return true;
}

const isOwnedBy = (state: { uid: number }, owner: Owner | undefined) => owner === undefined || state.uid === owner.uid;

function keyProblem(roots: PolicyRoots, key: RevisionKey, what: string): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		`The DKIM key file ${keyFile(roots, key)} is not usable: ${what}. The live policy was not touched. Correct it, or retire this key and activate another, and apply again.`,
		{ reason: 'dkim-file' }
	);
}

/** The files a TLS name stands for; whether key and certificate belong together was checked before. */
async function verifyTls({ host, roots, reader }: Staging, name: string | null): Promise<void> {
	if (name === null) return;
	for (const file of ['fullchain.pem', 'privkey.pem']) {
		const path = join(roots.tls, name, file);
		const state = await host.files.stat(path);
		const what =
			state?.kind !== 'file'
				? 'it is not there as a regular file'
				: file === 'privkey.pem' && (state.mode & 0o007) !== 0
					? 'everybody can read it'
					: reader !== undefined && !canRead(state, reader)
						? 'kumod cannot read it (root:kumod, mode 0640 is wanted)'
						: undefined;
		if (what === undefined) continue;
		throw new UserError(
			'PRECONDITION_FAILED',
			`The TLS file ${path} is not usable: ${what}. The live policy was not touched. Correct it and apply again.`,
			{ reason: 'tls-file' }
		);
	}
}

function canRead({ uid, gid, mode }: { uid: number; gid: number; mode: number }, who: Owner): boolean {
	if (uid === who.uid) return (mode & 0o400) !== 0;
	return gid === who.gid ? (mode & 0o040) !== 0 : (mode & 0o004) !== 0;
}
