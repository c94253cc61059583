import { join } from 'node:path';
import { revisionOfConf, stagedDirectory } from './config.ts';
import { findLiveConf } from './live.ts';
import { dovecotAccess, findMailUser } from './roots.ts';
import type { DovecotPlace } from './roots.ts';
import { findStagedManifest, prepareDovecot, sha256 } from './stage.ts';
import type { DovecotRevision } from './stage.ts';
import { reloadDovecot, swapDovecot } from './swap.ts';
import { readVersion } from './version.ts';

/**
 * Dovecot follows KumoMTA's live policy: after a crash between their two renames, Dovecot's files of the live revision
 * are made again where they are missing, and go live. What somebody edited by hand is not touched. Needs the lock.
 * @returns what was done, for the log and the record; undefined: everything was in place.
 */
export async function settleDovecot(
	place: DovecotPlace,
	live: () => DovecotRevision,
	{ revision, mustReload }: { revision: string; mustReload: boolean }
): Promise<string | undefined> {
	await emptyProbe(place, revision);
	const conf = await findLiveConf(place);
	const isStaged = (await findStagedManifest(place, revision)) !== undefined;
	const follows = conf.kind === 'ours' ? conf.revision !== revision : conf.kind !== 'foreign' && isStaged;
	if (!follows) {
		if (!mustReload || conf.kind !== 'ours') return undefined;
		return (await reloadDovecot(place)).output;
	}
	const { staged, output } = await prepareDovecot(place, live());
	if (staged === undefined) return output;
	await swapDovecot(place, staged);
	return [output, (await reloadDovecot(place)).output].join('\n');
}

/** No policy of ours is live, and none is there at all: Dovecot reads what it read before the panel. Needs the lock. */
export async function withdrawDovecot(place: DovecotPlace): Promise<string | undefined> {
	const { host, roots } = place;
	if ((await findLiveConf(place)).kind !== 'ours') return undefined;
	const before = await host.files.readBytes(roots.before);
	if (before === undefined) await host.files.remove(roots.conf);
	else await host.files.replaceFile(roots.conf, before, { mode: 0o644 });
	return (await reloadDovecot(place)).output;
}

/** A process that was killed while it signed in left its account behind; nobody knows its password. */
async function emptyProbe({ host, roots }: DovecotPlace, revision: string): Promise<void> {
	const path = join(stagedDirectory(roots, revision), 'probe');
	if (((await host.files.stat(path))?.bytes ?? 0) > 0)
		await host.files.replaceFile(path, '', dovecotAccess(host).passwd);
}

/** Revisions that neither file of Dovecot names go, with what a killed process left half-written. Needs the lock. */
export async function removeOldDovecot({ host, roots }: DovecotPlace, liveRevision: string | null): Promise<void> {
	const texts = [await host.files.readText(roots.conf), await host.files.readText(roots.previous)];
	const kept = new Set([liveRevision, ...texts.map(revisionOfConf)]);
	for (const name of await host.files.list(roots.revisions))
		if (!kept.has(name)) await host.files.remove(join(roots.revisions, name));
	const parents = [roots.etc, ...[...kept].flatMap((name) => (name == null ? [] : [join(roots.revisions, name)]))];
	for (const parent of parents)
		for (const name of await host.files.list(parent))
			if (/^\.(?:dovecot\.conf.*|passwd|probe|manifest\.json)\.[0-9a-f]{12}\.tmp$/.test(name))
				await host.files.remove(join(parent, name));
}

export interface DovecotDrift {
	/** Relative to Dovecot's directory. */
	path: string;
	what: 'changed' | 'missing' | 'access';
}

/**
 * Files of Dovecot that are not what the live revision says.
 * @param mayHaveLogins whether that revision has accounts that may sign in: then Dovecot's files belong to it.
 */
export async function findDovecotDrift(
	place: DovecotPlace,
	revision: string,
	mayHaveLogins: () => boolean
): Promise<DovecotDrift[]> {
	const { host, roots, bin } = place;
	if (bin === undefined) return [];
	const conf = await findLiveConf(place);
	if (conf.kind === 'foreign') return [];
	const manifest = await findStagedManifest(place, revision);
	if (conf.kind !== 'ours' || manifest === undefined) {
		const isWanted = conf.kind === 'ours' || ((await canSetUp(place)) && mayHaveLogins());
		return isWanted ? [{ path: 'dovecot.conf', what: 'missing' }] : [];
	}
	const drift: DovecotDrift[] = [];
	if (sha256(conf.text) !== manifest.conf) drift.push({ path: 'dovecot.conf', what: 'changed' });
	const passwd = join(stagedDirectory(roots, revision), 'passwd');
	const state = await host.files.stat(passwd);
	const path = join('kumomta-ui', revision, 'passwd');
	const { mode, owner } = dovecotAccess(host).passwd;
	if (state?.kind !== 'file') drift.push({ path, what: state === undefined ? 'missing' : 'changed' });
	else if ((await host.files.hashOf(passwd)) !== manifest.passwd) drift.push({ path, what: 'changed' });
	else if (state.mode !== mode || (owner !== undefined && (state.uid !== owner.uid || state.gid !== owner.gid)))
		drift.push({ path, what: 'access' });
	return drift;
}

/** Where an apply would only say why it leaves Dovecot alone, nothing is missing. */
const canSetUp = async (place: DovecotPlace) =>
	findMailUser(place.host) !== undefined && (await readVersion(place)).isSupported;
