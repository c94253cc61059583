import { join } from 'node:path';
import { findManifest } from '../drift.ts';
import { fatesOf, isLeftover, readInUse, removeIfOld, removeKeyTemporaries } from '../retention.ts';
import type { Applier } from './applier-parts.ts';

/**
 * Removes old revisions, by the same rule as the panel but from what lies on disk: what the panel says of its own
 * revisions is no reason to remove one of these. Needs the lock.
 */
export async function removeOldOnDisk(applier: Applier): Promise<void> {
	const { host, roots, clock } = applier;
	const rows: Parameters<typeof fatesOf>[0] = [];
	for (const name of await host.files.list(roots.revisions)) {
		const directory = join(roots.revisions, name);
		const manifest = /^\d+-[0-9a-f]{12}$/.test(name) ? findManifest(directory) : undefined;
		const appliedAt = (await host.files.stat(directory))?.modifiedAt ?? 0;
		if (manifest === undefined) await removeIfOld(applier, directory);
		else rows.push({ number: Number(name.split('-')[0]), directory: name, appliedAt, bytes: bytesOf(manifest) });
	}
	rows.sort((a, b) => b.number - a.number);
	const fates = fatesOf(rows, { inUse: await readInUse(host, roots), now: clock() });
	for (const { number, directory } of rows)
		if (fates.get(number)?.isKept === false) await host.files.remove(join(roots.revisions, directory));
}

const bytesOf = ({ files }: { files: { bytes: number }[] }) => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** What an apply that was broken off left beside the live policy. Needs the lock. */
export async function removeLeft(applier: Applier): Promise<void> {
	const { host, roots, records } = applier;
	await removeKeyTemporaries(applier, roots);
	for (const name of await host.files.list(roots.policy))
		if (isLeftover(name)) await removeIfOld(applier, join(roots.policy, name));
	for (const directory of [records.results, records.answers, records.closed])
		for (const name of await host.files.list(directory))
			if (/^\..*\.tmp$/.test(name)) await host.files.remove(join(directory, name));
	for (const name of await host.files.list(records.closed))
		if (/^work-[a-z0-9]{16}$/.test(name)) await host.files.remove(join(records.closed, name));
}
