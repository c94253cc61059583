import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import type { Owner } from '../host/files.ts';
import { renderConfig, stagedDirectory } from './config.ts';
import { findLiveConf } from './live.ts';
import type { LiveConf } from './live.ts';
import { renderPasswd } from './passwd.ts';
import type { Login } from './passwd.ts';
import { dovecotAccess, findMailUser } from './roots.ts';
import type { DovecotPlace } from './roots.ts';
import { readVersion, toolOf } from './version.ts';

export interface DovecotResult {
	status: 'ok' | 'failed' | 'skipped';
	output: string;
}

/** What Dovecot's files of a revision are made of: read from the revision's own directory, so any can be made again. */
export interface DovecotRevision {
	/** `<number>-<hash12>` */
	revision: string;
	logins: Login[];
	/** Paths of PEM files. */
	tls: { certificate: string; privateKey: string } | null;
}

/** Files that lie complete beside the live ones, accepted by Dovecot. */
export interface StagedDovecot {
	revision: string;
	/** The bytes of dovecot.conf. */
	text: string;
	hasTls: boolean;
	/** What was live when it was staged. */
	seen: LiveConf;
	mailUser: Owner;
}

export type Prepared = DovecotResult & { staged?: StagedDovecot };

const skipped = (output: string): Prepared => ({ status: 'skipped', output });

/**
 * Writes Dovecot's files of a revision beside the live ones and lets Dovecot judge them. Where the panel has no Dovecot to
 * set up, the answer says why, and KumoMTA's policy goes its way: mail is delivered into the mailboxes all the same.
 */
export async function prepareDovecot(place: DovecotPlace, revision: DovecotRevision): Promise<Prepared> {
	const { host, roots, bin } = place;
	if (bin === undefined)
		return skipped(
			'Dovecot is not installed here, so nobody can open the mailboxes. Mail is delivered into them all the same.'
		);
	const seen = await findLiveConf(place);
	if (seen.kind !== 'ours' && revision.logins.length === 0)
		return skipped('No bounce account has a password yet, so Dovecot’s configuration stays as it is.');
	if (seen.kind === 'foreign')
		return skipped(
			`${roots.conf}, or a file that it reads, is neither the panel’s nor the distribution’s own. It is untouched, and the mailboxes cannot be opened. To let the panel set Dovecot up, move ${roots.conf} away and apply again.`
		);
	const version = await readVersion(place);
	if (!version.isSupported) return skipped(version.sentence);
	const mailUser = findMailUser(host);
	if (mailUser === undefined)
		return skipped(
			'There is no user vmail on this server, as which Dovecot reads the mailboxes. Make it (useradd --system --user-group --no-create-home --shell /usr/sbin/nologin vmail) and apply again.'
		);
	const { staged, leftOut } = await writeStaged(place, revision, { seen, mailUser });
	await host.faultPoint('dovecot.staged');
	const refusal = await validate(place, revision.revision);
	if (refusal !== undefined) {
		await host.files.remove(stagedDirectory(roots, revision.revision));
		return { status: 'failed', output: refusal };
	}
	const lines = [
		`Dovecot ${version.version} accepts its configuration: ${count(revision.logins.length - leftOut.length, 'account')} may sign in.`,
		...(revision.tls === null
			? ['Settings name no TLS certificate, so Dovecot listens nowhere: no password may travel without one.']
			: []),
		...(leftOut.length === 0 ? [] : [`A name that begins with # cannot sign in: ${leftOut.slice(0, 10).join(', ')}.`])
	];
	return { status: 'ok', output: lines.join('\n'), staged };
}

const count = (number: number, noun: string) => `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;

async function writeStaged(
	place: DovecotPlace,
	{ revision, logins, tls }: DovecotRevision,
	{ seen, mailUser }: { seen: LiveConf; mailUser: Owner }
) {
	const { host, roots, ports, mailRoot } = place;
	const access = dovecotAccess(host);
	const directory = stagedDirectory(roots, revision);
	const text = renderConfig({ revision, roots, ports, tls, mailUser });
	const { text: passwd, leftOut } = renderPasswd(logins, { mailRoot, mailUser });
	for (const path of [roots.etc, roots.revisions])
		if ((await host.files.stat(path)) === undefined)
			await host.files.makeDirectory(path, path === roots.etc ? { mode: 0o755 } : access.directory);
	await host.files.makeDirectory(directory, access.directory);
	// The manifest comes last: a directory without one is not complete, and never goes live.
	await host.files.remove(join(directory, 'manifest.json'));
	await host.files.replaceFile(join(directory, 'passwd'), passwd, access.passwd);
	await host.files.replaceFile(join(directory, 'probe'), '', access.passwd);
	await host.files.replaceFile(join(directory, 'dovecot.conf'), text, access.conf);
	const manifest: StagedManifest = { format: 1, revision, conf: sha256(text), passwd: sha256(passwd) };
	await host.files.replaceFile(join(directory, 'manifest.json'), `${JSON.stringify(manifest)}\n`, access.conf);
	const staged: StagedDovecot = { revision, text, hasTls: tls !== null, seen, mailUser };
	return { staged, leftOut };
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const stagedManifest = z.object({ format: z.literal(1), revision: z.string(), conf: z.string(), passwd: z.string() });
export type StagedManifest = z.infer<typeof stagedManifest>;

/** The hashes of a complete staged revision; undefined when there is none. */
export async function findStagedManifest(
	{ host, roots }: DovecotPlace,
	revision: string
): Promise<StagedManifest | undefined> {
	const text = await host.files.readText(join(stagedDirectory(roots, revision), 'manifest.json'), 4096);
	try {
		return text === undefined ? undefined : stagedManifest.parse(JSON.parse(text));
	} catch {
		return undefined;
	}
}

/** Dovecot's own judgement, files of TLS included; undefined: it accepts. What it prints holds no password. */
async function validate({ host, roots, bin }: DovecotPlace, revision: string): Promise<string | undefined> {
	const conf = join(stagedDirectory(roots, revision), 'dovecot.conf');
	const { code, stderr, timedOut } = await host.run(toolOf(bin ?? '', 'doveconf'), ['-n', '-x', '-c', conf], {
		timeoutMs: 30_000,
		maxBytes: 16_384
	});
	if (code === 0 && !/^doveconf: (?:Fatal|Error|Panic)/m.test(stderr)) return undefined;
	const said = timedOut ? 'it did not answer in 30 s' : stderr.trim().slice(0, 4000) || `it ended with code ${code}`;
	return `Dovecot refuses its new configuration: ${said}\nNothing went live: KumoMTA and Dovecot run what they ran before.`;
}
