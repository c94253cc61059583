import { chmodSync, chownSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Owner } from '../host/files.ts';
import type { Manifest } from './archive.ts';
import { stagedAt } from './places.ts';
import type { Staged } from './places.ts';

export interface Owners {
	kumod?: Owner | undefined;
	dovecot?: Owner | undefined;
}

interface Wish {
	data: string;
	applierKey: string;
	owners: Owners;
}

/**
 * The panel's files belong to whom the data directory belongs, the applier's key to whom its directory belongs; what
 * KumoMTA and Dovecot read belongs to root and their groups, as an apply makes it. Without root only modes are set.
 */
export function giveAccess(manifest: Manifest, staged: Staged, { data, applierKey, owners }: Wish): void {
	const isRoot = process.getuid?.() === 0;
	const own = (path: string, owner: { uid: number; gid: number } | undefined) => {
		if (isRoot && owner !== undefined) chownSync(path, owner.uid, owner.gid);
	};
	const to = stagedAt(staged);
	const shared = (path: string): Owner | undefined => {
		const user = path.startsWith('dovecot/') ? owners.dovecot : owners.kumod;
		return user && { uid: 0, gid: user.gid };
	};
	for (const { path, mode } of manifest.files) {
		const isPanels = path.startsWith('data/') || path.startsWith('database/');
		chmodSync(to(path), isPanels ? 0o600 : mode);
		if (path === 'data/applier.key') own(to(path), statSync(dirname(applierKey)));
		else if (isPanels) own(to(path), statSync(data));
		else own(to(path), path.startsWith('etc/dkim/') ? owners.kumod : shared(path));
	}
	const served = manifest.files.filter(({ path }) => path.startsWith('etc/') || path.startsWith('dovecot/'));
	for (const path of new Set(served.flatMap(({ path: file }) => parents(file)))) {
		chmodSync(to(path), 0o750);
		own(to(path), shared(path));
	}
}

function parents(path: string): string[] {
	const parent = dirname(path);
	return ['etc', 'dovecot'].includes(parent) || basename(parent) === '.' ? [] : [parent, ...parents(parent)];
}
