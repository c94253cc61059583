import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import type { Host } from '../host/host.ts';
import { policyAccess, policyDirectory } from '../host/policy-access.ts';

export { policyAccess };

/** Where the policy lives: fixed paths below one root, never a path from the outside. */
export interface PolicyRoots {
	root: string;
	etc: string;
	policy: string;
	revisions: string;
	init: string;
	/** The lines that were live before the present ones. */
	previous: string;
	/** The operator's own policy, kept when the panel took over. */
	before: string;
	custom: string;
	dkim: string;
	tls: string;
	lock: string;
	lockHolder: string;
	refreshDue: string;
	/** Only in a mirror: `<hash of what init.lua shows> <hash of the real one>`. */
	original: string;
	/** KumoMTA's packaged sample, to which a fresh installation's init.lua is equal. */
	packaged: string;
}

export function policyRoots(kumomtaRoot: string): PolicyRoots {
	const etc = join(kumomtaRoot, 'etc');
	const policy = policyDirectory(kumomtaRoot);
	return {
		root: kumomtaRoot,
		etc,
		policy,
		revisions: join(policy, 'revisions'),
		init: join(policy, 'init.lua'),
		previous: join(policy, 'init.lua.previous'),
		before: join(policy, 'init.lua.before-kumomta-ui'),
		custom: join(policy, 'custom.lua'),
		dkim: join(etc, 'dkim'),
		tls: join(etc, 'tls'),
		lock: join(policy, '.apply.lock.sqlite'),
		lockHolder: join(policy, '.apply.lock.holder.json'),
		refreshDue: join(policy, '.refresh-due.json'),
		original: join(policy, '.init.lua.original'),
		packaged: join(kumomtaRoot, 'share/minimal-init.lua')
	};
}

/**
 * Makes the directories of the policy where they are missing and gives them their access.
 * @throws UserError symbolic-link when one of them is a link: what lies behind it is not ours to write.
 */
export async function prepareRoots(host: Host, roots: PolicyRoots): Promise<void> {
	assertNoLinks(roots);
	assertPlainPath(roots.root);
	const { directory } = policyAccess(host);
	for (const path of [roots.root, roots.etc]) {
		if ((await host.files.stat(path)) === undefined) await host.files.makeDirectory(path, { mode: 0o755 });
	}
	for (const path of [roots.policy, roots.revisions, roots.dkim]) await host.files.makeDirectory(path, directory);
}

/** The root stands in Lua, TOML and KumoMTA's own settings: a path that would need quoting there is refused. */
function assertPlainPath(root: string): void {
	if (/^\/[A-Za-z0-9._/-]*$/.test(root)) return;
	throw new UserError(
		'PRECONDITION_FAILED',
		'The path of KUMOMTA_ROOT holds characters beside letters, digits and ._/-. Nothing was written. Choose another directory.',
		{ reason: 'unusable-root' }
	);
}

export function assertNoLinks(roots: PolicyRoots): void {
	for (const path of [roots.root, roots.etc, roots.policy, roots.revisions, roots.dkim, roots.tls]) {
		if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
			throw new UserError(
				'PRECONDITION_FAILED',
				`${path} is a symbolic link. Nothing was written. Put a directory in its place, or set KUMOMTA_ROOT to where it leads.`,
				{ reason: 'symbolic-link' }
			);
		}
	}
}
