import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../core/errors.ts';
import { SealError } from '../../core/secret.ts';
import type { Secret } from '../../core/secret.ts';
import { dkimKeyPurpose } from '../../dkim/service.ts';
import { openBuild } from '../build-revision.ts';
import type { BuildRequest, BuiltRevision } from '../build-revision.ts';
import type { RevisionKey } from '../directory.ts';
import { findManifest } from '../drift.ts';
import { readFacts } from '../facts.ts';
import type { PolicyHead, PolicySender } from '../input.ts';
import { sha256 } from '../live.ts';
import type { Live } from '../live.ts';
import { liveDirectory, readCustom, rootsInPolicy } from '../pending.ts';
import { readRevisionHead, readRevisionSenders } from '../revision.ts';
import { differingFiles } from '../stage.ts';
import type { Applier, Taken } from './applier-parts.ts';
import { damaged } from './lines.ts';
import { headLine, keyLine, senderLine } from './request.ts';
import type { WishOf } from './request.ts';

/** A revision that the applier made itself, in a directory of its own. */
export interface OwnBuild extends BuiltRevision {
	directory: string;
	/** DKIM keys that came with the request, sealed, by id. */
	sealed: Map<string, string>;
	remove: () => Promise<void>;
}

type Source = Pick<BuildRequest, 'program' | 'customLua'> & {
	head: PolicyHead;
	senders: AsyncIterable<PolicySender> | Iterable<PolicySender>;
};

/** Makes the revision of a request from its data alone, with the applier's own program and the operator's own Lua. */
export async function buildFromData(
	applier: Applier,
	{ wish, lines, ref }: Taken<WishOf<'apply'>>,
	live: Live
): Promise<OwnBuild> {
	const head = headLine.safeParse((await lines.next()).value);
	if (!head.success) throw damaged('holds data that no policy can hold');
	const sealed = new Map<string, string>();
	const source = {
		program: applier.program,
		customLua: await readCustom(applier.host, applier.roots.custom),
		head: head.data[1],
		senders: sendersIn(lines, sealed)
	};
	return build(applier, source, { ref, live, sealed, dropping: wish.dropping });
}

/** The same from an older revision, as it lies on the applier's own disk. @throws UserError no-such-revision */
export async function buildFromRevision(
	applier: Applier,
	{ wish, lines, ref }: Taken<WishOf<'restore'>>,
	live: Live
): Promise<OwnBuild> {
	const { host, roots } = applier;
	const from = join(roots.revisions, wish.from);
	const manifest = (await host.files.stat(from))?.kind === 'directory' ? findManifest(from) : undefined;
	if (manifest === undefined || (await differingFiles(host, from, manifest)).length > 0)
		throw new UserError(
			'NOT_FOUND',
			`The files of revision ${wish.from} are not on KumoMTA’s disk as they were written. Nothing was changed. Choose another one.`,
			{ reason: 'no-such-revision' }
		);
	const sealed = new Map<string, string>();
	for await (const _ of sendersIn(lines, sealed)) throw damaged('holds data that this wish does not need');
	const head = readRevisionHead(from);
	const source = {
		program: await readFile(join(from, 'program.lua')),
		customLua: (await host.files.readBytes(join(from, 'custom.lua'))) ?? null,
		head,
		senders: readRevisionSenders(from, head)
	};
	return build(applier, source, { ref, live, sealed, dropping: [] });
}

/** The senders of the lines; the keys among them are put aside. */
async function* sendersIn(lines: AsyncIterator<unknown>, sealed: Map<string, string>): AsyncGenerator<PolicySender> {
	for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
		const key = keyLine.safeParse(line.value);
		if (key.success) {
			sealed.set(key.data[1].id, key.data[1].sealed);
			continue;
		}
		const sender = senderLine.safeParse(line.value);
		if (!sender.success) throw damaged('holds a sender that no policy can hold');
		yield sender.data[1];
	}
}

async function build(
	{ host, roots, clock, records, env }: Applier,
	{ head, senders, program, customLua }: Source,
	{ ref, live, sealed, dropping }: { ref: string; live: Live; sealed: Map<string, string>; dropping: string[] }
): Promise<OwnBuild> {
	const directory = join(records.closed, `work-${ref}`);
	const remove = () => rm(directory, { recursive: true, force: true });
	await mkdir(directory, { mode: 0o700 });
	const making = openBuild(directory, head, {
		...{ program, customLua, dropping },
		roots: rootsInPolicy(roots, env.mailRoot),
		live: liveDirectory(roots, live),
		facts: await readFacts(host, roots, head.settings.tlsName),
		now: clock()
	});
	try {
		for await (const sender of senders) making.sender(sender);
		return { ...making.finish([]), directory, sealed, remove };
	} catch (error) {
		await remove();
		// Rows that contradict each other: the panel's own data never do.
		throw (error as { code?: string }).code === 'ERR_SQLITE_ERROR' ? damaged('names something twice') : error;
	} finally {
		making.close();
	}
}

/** The keys that a stage asks for, opened; what is not the key that the revision names is left out. */
export function openSealed({ key }: Applier, { sealed }: OwnBuild, keys: RevisionKey[]): Map<string, Secret> {
	const opened = new Map<string, Secret>();
	for (const { id, domain, selector, hash } of keys) {
		const text = sealed.get(id);
		const secret = text === undefined ? undefined : tryOpen(() => key.open(text, dkimKeyPurpose(domain, selector)));
		if (secret !== undefined && isKey(secret.open()) && sha256(secret.open()) === hash) opened.set(id, secret);
	}
	return opened;
}

/** PKCS#8 in PEM (RFC 7468 10): nothing else becomes a file of KumoMTA's. */
const isKey = (text: string) =>
	/^-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{1,8192}\n-----END PRIVATE KEY-----\n?$/.test(text);

function tryOpen(open: () => Secret): Secret | undefined {
	try {
		return open();
	} catch (error) {
		if (error instanceof SealError) return undefined;
		throw error;
	}
}
