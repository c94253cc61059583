import { join } from 'node:path';
import type { Access, Owner } from './files.ts';
import type { Host } from './host.ts';

/** KumoMTA's policy directory below its root. */
export const policyDirectory = (kumomtaRoot: string) => join(kumomtaRoot, 'etc', 'policy');

/** Owners and modes of policy.md 1; without root or without a user kumod (the sandbox) everything stays the process's own. */
export interface PolicyAccess {
	kumod: Owner | undefined;
	directory: Access;
	file: Access;
	key: Access;
}

export function policyAccess(host: Host): PolicyAccess {
	const kumod = host.uid() === 0 ? host.findUser('kumod') : undefined;
	const shared = kumod && { uid: 0, gid: kumod.gid };
	return {
		kumod,
		directory: { mode: 0o750, owner: shared },
		file: { mode: 0o640, owner: shared },
		key: { mode: 0o600, owner: kumod }
	};
}
