import { join } from 'node:path';
import { UserError } from '../../core/errors.ts';
import { inspectFile, suppressionRoots } from '../../suppression/service.ts';
import type { TlsFacts } from '../check-node.ts';
import { findDrift } from '../drift.ts';
import { readFacts } from '../facts.ts';
import { findKeyDrift } from '../key-drift.ts';
import { bytesOf, readLive, readLua, revisionIn, sha256 } from '../live.ts';
import type { Live } from '../live.ts';
import { findMailDrift } from '../mail-step.ts';
import { maskText } from '../masked-text.ts';
import { readCustom } from '../pending.ts';
import type { PolicyRoots } from '../roots.ts';
import type { ApplierState, Refusal } from './answer.ts';
import type { Applier } from './applier-parts.ts';

const mostDrift = 1000;
const mostTls = 100;
/** Bytes of a policy that is shown. */
const mostShown = 1024 * 1024;

/** How things stand where the panel may not look, without anything that must stay secret. */
export async function lookAtAll(applier: Applier): Promise<ApplierState> {
	const { host, roots, clock, records } = applier;
	const live = await readLive(host, roots);
	const previous = await readLua(host, roots.previous);
	const kept = await readLua(host, roots.before);
	const drift = [
		...(await findDrift(host, roots, live)),
		...(await findMailDrift(applier, roots, live)),
		...(await findKeyDrift(host, roots, live))
	];
	return {
		format: 1,
		at: clock(),
		lastNumber: await records.lastNumber(),
		live: shownLive(live),
		previous: previous === undefined ? null : (revisionIn(previous)?.revision ?? { sha256: sha256(bytesOf(previous)) }),
		kept: kept === undefined ? null : { shown: masked(kept), sha256: sha256(bytesOf(kept)) },
		highest: await highestNumber(applier),
		custom: await customOf(applier),
		drift: drift.slice(0, mostDrift),
		tls: await tlsOf(applier),
		suppression: await suppressionOf(applier)
	};
}

function shownLive(live: Live): ApplierState['live'] {
	if (live.kind === 'absent') return live;
	if ('revision' in live) return { kind: live.kind, revision: live.revision, number: live.number };
	return { kind: live.kind, shown: live.kind === 'packaged' ? live.text : masked(live.text), sha256: live.sha256 };
}

/** Bytes in, bytes out, one character each: what looks like a secret stays here. */
const masked = (text: string) =>
	Buffer.from(maskText(bytesOf(text.slice(0, mostShown)).toString('utf8'))).toString('latin1');

export async function highestNumber({ host, roots }: Pick<Applier, 'host' | 'roots'>): Promise<number> {
	const names = await host.files.list(roots.revisions);
	return Math.max(0, ...names.map((name) => Number(/^(?:\.staging-)?(\d+)-/.exec(name)?.[1] ?? 0)));
}

async function customOf({ host, roots }: Applier): Promise<ApplierState['custom']> {
	try {
		const bytes = await readCustom(host, roots.custom);
		return bytes === null ? null : { base64: bytes.toString('base64') };
	} catch (error) {
		if (error instanceof UserError) return refusalOf(error);
		throw error;
	}
}

/** What a person can do something about, as it stands in an answer. */
export function refusalOf({ code, message, detail }: UserError): Refusal {
	const known = ['BAD_REQUEST', 'NOT_FOUND', 'CONFLICT', 'PRECONDITION_FAILED', 'PAYLOAD_TOO_LARGE'] as const;
	return {
		code: known.find((each) => each === code) ?? 'PRECONDITION_FAILED',
		message,
		reason: detail.reason ?? null,
		problems: (detail.problems ?? []).slice(0, 500)
	};
}

async function suppressionOf({ host, roots }: Applier): Promise<ApplierState['suppression']> {
	const places = suppressionRoots(roots.root);
	const placed = async (path: string) => {
		const file = await inspectFile(host, path);
		if (file.kind !== 'ok') return null;
		const { id, baseId } = file.about;
		return { id, baseId, at: Math.round((await host.files.stat(path))?.modifiedAt ?? 0) };
	};
	return { base: await placed(places.base), delta: await placed(places.delta) };
}

async function tlsOf({ host, roots }: Applier): Promise<Record<string, TlsFacts>> {
	const names = (await directoriesIn({ host, roots })).slice(0, mostTls);
	const facts = await Promise.all(names.map((name) => readFacts(host, roots, name)));
	return Object.fromEntries(names.flatMap((name, at) => (facts[at]?.tls === undefined ? [] : [[name, facts[at].tls]])));
}

async function directoriesIn({ host, roots }: { host: Applier['host']; roots: PolicyRoots }): Promise<string[]> {
	const names: string[] = [];
	for (const name of await host.files.list(roots.tls))
		if ((await host.files.stat(join(roots.tls, name)))?.kind === 'directory') names.push(name);
	return names;
}
