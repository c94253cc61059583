import { createHash } from 'node:crypto';
import { UserError } from '../core/errors.ts';
import type { Host } from '../host/host.ts';
import { policyAccess } from './roots.ts';
import type { PolicyRoots } from './roots.ts';
import { bytesOf, initLines, readLive, readLua, textOf } from './live.ts';
import type { Live } from './live.ts';

/** Where the two lines of a revision wait until they are validated. */
export const stagedInit = (roots: PolicyRoots, number: number) => `${roots.init}.staged-${number}`;

export async function writeStagedInit(
	host: Host,
	roots: PolicyRoots,
	revision: string,
	number: number
): Promise<string> {
	const path = stagedInit(roots, number);
	await host.files.replaceFile(path, initLines(roots, revision), policyAccess(host).file);
	return path;
}

/**
 * Makes a staged revision live: keeps the present lines as init.lua.previous, then one rename. A reader sees the old
 * policy or the new one, whole.
 * @param seen what was live when the apply looked; something else now stops it.
 */
export async function swapIn(host: Host, roots: PolicyRoots, number: number, seen: Live): Promise<void> {
	await keepForeign(host, roots, seen);
	await host.faultPoint('swap.before-previous');
	if (seen.kind !== 'absent') await host.files.replaceFile(roots.previous, bytesOf(seen.text), policyAccess(host).file);
	await assertUnmoved(host, roots, seen);
	await host.faultPoint('swap.before-rename');
	await host.files.rename(stagedInit(roots, number), roots.init);
	await host.faultPoint('swap.after-rename');
}

/** Puts back, byte for byte, what was live before a swap. */
export async function putBack(host: Host, roots: PolicyRoots, seen: Live): Promise<void> {
	await host.faultPoint('revert.before-put-back');
	if (seen.kind === 'absent') await host.files.remove(roots.init);
	else await host.files.replaceFile(roots.init, bytesOf(seen.text), policyAccess(host).file);
	await host.faultPoint('revert.after-put-back');
}

/** A policy that is not ours is kept beside, once; another one taken over later gets its hash in its name. */
async function keepForeign(host: Host, roots: PolicyRoots, seen: Live): Promise<void> {
	if (seen.kind !== 'foreign' && seen.kind !== 'packaged') return;
	await host.faultPoint('swap.before-keep');
	const kept = await findKept(host, roots, seen.sha256);
	if (kept !== undefined) return;
	const isFirst = (await host.files.stat(roots.before)) === undefined;
	const path = isFirst ? roots.before : `${roots.before}-${seen.sha256.slice(0, 12)}`;
	await host.files.createFile(path, bytesOf(seen.text), policyAccess(host).file);
}

/** The text of a kept policy by its hash; undefined when it is not there, or was changed. */
export async function findKept(host: Host, roots: PolicyRoots, sha256: string): Promise<string | undefined> {
	for (const path of [roots.before, `${roots.before}-${sha256.slice(0, 12)}`]) {
		const text = await readLua(host, path);
		if (text !== undefined && createHash('sha256').update(bytesOf(text)).digest('hex') === sha256) return text;
	}
	return undefined;
}

async function assertUnmoved(host: Host, roots: PolicyRoots, seen: Live): Promise<void> {
	const now = await readLive(host, roots);
	if (textOf(now) === textOf(seen)) return;
	throw new UserError(
		'CONFLICT',
		`${roots.init} was changed by somebody else while this apply was running. Their version is still live. Look at it, then apply again.`,
		{ reason: 'policy-moved' }
	);
}
