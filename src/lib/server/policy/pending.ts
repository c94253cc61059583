import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../app.ts';
import { assetPath } from '../core/assets.ts';
import type { CompileRequest } from './compile.ts';
import { findManifest } from './drift.ts';
import { readFacts } from './facts.ts';
import type { Live } from './live.ts';
import { policyRoots } from './roots.ts';
import type { PolicyRoots } from './roots.ts';
import { getSettingsRow } from '../settings/service.ts';

/** Everything beside the database that the pending revision is made of. */
export async function compileRequest(app: App, live: Live): Promise<CompileRequest> {
	const roots = policyRoots(app.env.kumomtaRoot);
	const { tlsName } = await getSettingsRow(app.db);
	const custom = await app.host.files.readText(roots.custom, 1024 * 1024);
	return {
		program: await readFile(assetPath('program.lua')),
		customLua: custom === undefined ? null : Buffer.from(custom),
		roots: rootsInPolicy(roots),
		facts: await readFacts(app.host, roots, tlsName),
		live: liveDirectory(roots, live)
	};
}

/** The directories that a revision names. Maildirs of bounce accounts lie where Dovecot reads them. */
export function rootsInPolicy(roots: PolicyRoots): CompileRequest['roots'] {
	return {
		policy: roots.policy,
		dkim: roots.dkim,
		tls: roots.tls,
		mail: '/var/mail/kumomta',
		share: join(roots.root, 'share')
	};
}

/** The directory of the live revision; null when there is none of ours that can be read. */
export function liveDirectory(roots: PolicyRoots, live: Live): string | null {
	if (live.kind !== 'ours' && live.kind !== 'edited') return null;
	const directory = join(roots.revisions, live.revision);
	return findManifest(directory) === undefined ? null : directory;
}
