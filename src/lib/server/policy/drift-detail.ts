import { basename, join, relative } from 'node:path';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { compareRows, diffTexts } from './compile.ts';
import { findManifest } from './drift.ts';
import type { Drift } from './drift.ts';
import type * as inputs from './drift-inputs.ts';
import { expectedFile, findSameData, findSiblings } from './expected-file.ts';
import { findFileDrift } from './file-drift.ts';
import { cutLines } from './file-lines.ts';
import { lookAtKeys } from './key-drift.ts';
import { initLines, readLive, sha256 } from './live.ts';
import type { Live } from './live.ts';
import { reviewText } from './preview.ts';
import { policyAccess, policyRoots } from './roots.ts';
import type { PolicyRoots } from './roots.ts';
import { waitForPending } from './service.ts';

type Answer = z.infer<typeof inputs.driftFileAnswer>;
type OursLive = Extract<Live, { revision: string }>;

/** Everything on disk that is not what the live revision says, looked at now, with what an apply will do about it. */
export async function listDrift(app: App) {
	const roots = policyRoots(app.env.kumomtaRoot);
	const live = await readLive(app.host, roots);
	const drift = await lookAtAll(app, roots, live);
	return {
		revision: 'number' in live ? live.number : null,
		total: drift.length,
		items: drift.slice(0, 200).map((each) => ({ ...each, ...inWords(app, roots, each) }))
	};
}

async function lookAtAll(app: App, roots: PolicyRoots, live: Live): Promise<Drift[]> {
	return [...(await findFileDrift(app, roots, live)), ...(await lookAtKeys(app, roots, live))];
}

/** What it means now, and what an apply that overwrites does about it. */
function inWords(app: App, roots: PolicyRoots, { path, what, needsOverwrite }: Drift): { now: string; then: string } {
	if (path.startsWith('dkim/')) return keyInWords(roots, { path, what });
	if (path.startsWith('dovecot/')) return dovecotInWords(what);
	if (what === 'access') {
		const { mode, owner } = policyAccess(app.host).file;
		return {
			now: `Its bytes are right, but it has another mode or owner than the panel gave it.`,
			then: `The next apply writes it in a new revision, mode 0${mode.toString(8)}${owner === undefined ? '' : ', owned by root and readable by kumod'}.`
		};
	}
	if (path === basename(roots.init))
		return {
			now: 'KumoMTA runs these lines, not the panel’s: it reads the file at once when it changes.',
			then: 'Overwriting puts the panel’s two lines in its place; these lines are kept as init.lua.previous until the apply after.'
		};
	if (!needsOverwrite) throw new Error('What an apply overwrites by itself has words of its own.');
	const now =
		what === 'missing'
			? 'KumoMTA works with what it has loaded; its next load of the policy fails.'
			: 'KumoMTA runs it as it is here as soon as it loads the policy anew.';
	const then =
		what === 'missing'
			? 'Overwriting makes a new, whole revision beside this one and lets KumoMTA load that.'
			: 'Overwriting makes a new revision from what the panel knows; the edited file stays where it is and is not run any more.';
	return { now, then };
}

function dovecotInWords(what: Drift['what']): { now: string; then: string } {
	if (what === 'missing')
		return {
			now: 'Dovecot does not serve what this revision says: mailboxes may not open. Mail is delivered all the same.',
			then: 'The next apply writes Dovecot’s files anew and tries a login.'
		};
	if (what === 'access')
		return {
			now: 'Others than Dovecot may read its passwd-file, or Dovecot may not.',
			then: 'The next apply writes it in a new revision, readable by root and Dovecot only.'
		};
	return {
		now: 'Dovecot reads it as it is here, now or at its next start: who can sign in may differ from what the panel shows.',
		then: 'Overwriting makes new files from what the panel knows; this dovecot.conf is kept as dovecot.conf.previous until the apply after.'
	};
}

function keyInWords(roots: PolicyRoots, { path, what }: Pick<Drift, 'path' | 'what'>): { now: string; then: string } {
	const file = join(roots.etc, path);
	const domain = path.split('/')[1] ?? '';
	if (what === 'missing')
		return {
			now: `KumoMTA answers 421 to mail of ${domain} once it no longer has the key in memory.`,
			then: 'The next apply writes the file anew, from the key that the panel keeps sealed.'
		};
	if (what === 'access')
		return {
			now: 'Others than KumoMTA may read this private key, or KumoMTA may not.',
			then: `An apply stops before anything goes live and says which command mends it, usually: chmod 600 ${file}`
		};
	return {
		now: `The file holds another key than the one whose record is published: receivers may find signatures of ${domain} broken.`,
		then: `An apply stops before anything goes live: the panel never writes over a key file. Move ${file} away, then apply: the panel writes its own.`
	};
}

/**
 * One of them with its difference: expected against found, line by line, or in words where it is a database. Key files
 * have no difference that is shown. A path that is not among them is compared with nothing and opens no file.
 */
export async function driftFile(app: App, { path, cursor }: z.infer<typeof inputs.driftFile>): Promise<Answer> {
	const roots = policyRoots(app.env.kumomtaRoot);
	const live = await readLive(app.host, roots);
	const drift = await lookAtAll(app, roots, live);
	const one = drift.find((each) => each.path === path);
	if (one === undefined || !('revision' in live))
		return { ...bare(path, 'Nothing that the panel wrote differs under this name.'), isSame: true };
	if (path.startsWith('dkim/'))
		return bare(path, 'The text of a private key is never shown. Its SHA-256 tells the panel.');
	if (path.startsWith('dovecot/'))
		return bare(path, 'Not shown here: it names who can sign in. Its whole text is written anew by the next apply.');
	if (one.what === 'access') return bare(path, 'Its bytes are as they should be.');
	const name = relative(join('revisions', live.revision), path);
	return name === 'manifest.json'
		? bare(
				path,
				'What this revision is made of stands in this file alone: without it, nothing else of it can be checked.'
			)
		: compared(app, { roots, live, path, name: path === basename(roots.init) ? path : name }, cursor);
}

const bare = (path: string, note: string): Answer => ({
	path,
	was: null,
	now: null,
	isSame: false,
	lines: null,
	note,
	added: 0,
	removed: 0,
	nextCursor: null,
	rows: null
});

interface Subject {
	roots: PolicyRoots;
	live: OursLive;
	path: string;
	/** Inside the revision. */
	name: string;
}

async function compared(app: App, subject: Subject, cursor: string | undefined): Promise<Answer> {
	const { roots, live, path, name } = subject;
	const pending = await waitForPending(app);
	try {
		const siblings = await findSiblings(app, roots, live.revision, pending.directory);
		if (name === 'directory.sqlite') return await comparedRows(app, subject, siblings.directories);
		const file = name === path ? roots.init : join(roots.revisions, live.revision, name);
		const manifest = findManifest(join(roots.revisions, live.revision));
		const was =
			name === path
				? Buffer.from(initLines(roots, live.revision))
				: manifest && (await expectedFile(app, roots, { manifest, path: name, siblings }));
		const now = await readFound(app, file);
		const states = { was: stateOf(was), now: stateOf(now) };
		const base = { ...bare(path, ''), ...states };
		if (was === undefined)
			return { ...base, ...(await comparedWith(app, { name, texts: ['', textIn(now, name)], cursor })), note: nowhere };
		return {
			...base,
			...(await comparedWith(app, { name, texts: [reviewText(was, name), textIn(now, name)], cursor }))
		};
	} finally {
		pending.release();
	}
}

const nowhere =
	'What the file should be is not on this server any more: no other revision has it and it cannot be made anew. What is there now is shown as new.';

/** Null: missing. Undefined: no regular file, or too large. */
async function readFound(app: App, path: string): Promise<Buffer | null | undefined> {
	try {
		return (await app.host.files.readBytes(path, 1024 * 1024)) ?? null;
	} catch {
		return undefined;
	}
}

const textIn = (found: Buffer | null | undefined, name: string) =>
	found === null ? '' : found && reviewText(found, name);
const stateOf = (bytes: Buffer | null | undefined) => (bytes ? { bytes: bytes.length, sha256: sha256(bytes) } : null);

async function comparedWith(
	app: App,
	{
		name,
		texts: [was, now],
		cursor
	}: { name: string; texts: [string | undefined, string | undefined]; cursor: string | undefined }
) {
	if (was === undefined || now === undefined)
		return {
			note: 'Not shown line by line: it is no regular text file, or larger than 1 MB. Compare its size and SHA-256.'
		};
	const foreign = name === 'custom.lua' ? { was, now } : { now };
	return cutLines(await diffTexts(app, was, now), { cursor, foreign });
}

async function comparedRows(app: App, { roots, live, path }: Subject, directories: string[]): Promise<Answer> {
	const directory = join(roots.revisions, live.revision);
	const manifest = findManifest(directory);
	const found = await app.host.files.stat(join(directory, 'directory.sqlite'));
	if (found === undefined) return bare(path, 'It is missing: KumoMTA knows no domain and no sender at its next load.');
	const expected = manifest && (await findSameData(app, manifest, { directories }));
	if (expected === undefined)
		return bare(
			path,
			'No undamaged copy of its data is left to compare with: revisions of the same data share one file.'
		);
	const drift = await compareRows(app, expected, directory);
	if (drift === null) return bare(path, 'It is no database any more that can be read.');
	const note = drift.total === 0 ? 'Its rows are as they should be; it was written anew with the same data.' : null;
	return { ...bare(path, ''), note, rows: drift };
}
