import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../app.ts';
import type { Host } from '../host/host.ts';
import type { Facts } from './check-node.ts';
import { assetPath } from '../core/assets.ts';
import { UserError } from '../core/errors.ts';
import type { CompileRequest } from './compile.ts';
import { findManifest } from './drift.ts';
import { knownState, refusalError } from './applier/state.ts';
import { readFacts } from './facts.ts';
import type { Live } from './live.ts';
import { policyRoots } from './roots.ts';
import type { PolicyRoots } from './roots.ts';
import { getSettingsRow } from '../settings/service.ts';

/**
 * Everything beside the database that the pending revision is made of.
 * @param from the directory of an older revision whose data, program and custom.lua are taken instead: then the
 *   present custom.lua is not looked at, so whatever is wrong with it stands in no way.
 */
export async function compileRequest(app: App, live: Live, from: string | null = null): Promise<CompileRequest> {
	const roots = policyRoots(app.env.kumomtaRoot);
	const { tlsName } = await getSettingsRow(app.db);
	return {
		from,
		program: await readFile(from === null ? assetPath('program.lua') : join(from, 'program.lua')),
		customLua: from === null ? await readCustomOf(app, roots) : await readStoredCustom(app, from),
		roots: rootsInPolicy(policyRoots(app.env.systemRoot), app.env.mailRoot),
		facts: await factsOf(app, roots, tlsName),
		live: liveDirectory(roots, live)
	};
}

/** The operator's own Lua, from where KumoMTA reads; or as the applier, which may look there, said it. */
async function readCustomOf(app: App, roots: PolicyRoots): Promise<Buffer | null> {
	if (app.env.applier === undefined) return readCustom(app.host, roots.custom);
	const custom = (await knownState(app))?.custom ?? null;
	if (custom === null) return null;
	if ('code' in custom) throw refusalError(custom);
	return Buffer.from(custom.base64, 'base64');
}

async function factsOf(app: App, roots: PolicyRoots, tlsName: string | null): Promise<Facts> {
	if (app.env.applier === undefined) return readFacts(app.host, roots, tlsName);
	const facts = await readFacts(app.host, roots, null);
	if (tlsName === null) return facts;
	const tls = (await knownState(app))?.tls[tlsName];
	return { ...facts, tls: tls ?? { readable: false, keyMatches: false, notAfterAt: 0, names: [] } };
}

/**
 * The operator's own Lua. It runs inside KumoMTA, so only root and this process's user may be able to write it.
 * @throws UserError custom-lua-writable
 */
export async function readCustom(host: Host, path: string): Promise<Buffer | null> {
	const state = await host.files.stat(path);
	if (state === undefined) return null;
	if (state.kind === 'file' && ((state.mode & 0o022) !== 0 || ![0, host.uid()].includes(state.uid)))
		throw new UserError(
			'PRECONDITION_FAILED',
			`${path} can be changed by others. It is code that KumoMTA would run, so nothing is applied. Look at it, then run: chown root ${path} && chmod 644 ${path}`,
			{ reason: 'custom-lua-writable' }
		);
	return (await host.files.readBytes(path, 1024 * 1024)) ?? null;
}

async function readStoredCustom(app: App, directory: string): Promise<Buffer | null> {
	return (await app.host.files.readBytes(join(directory, 'custom.lua'))) ?? null;
}

/** The directories that a revision names. Maildirs of bounce accounts lie where Dovecot reads them. */
export function rootsInPolicy(roots: PolicyRoots, mail: string): CompileRequest['roots'] {
	return {
		policy: roots.policy,
		dkim: roots.dkim,
		tls: roots.tls,
		mail,
		share: join(roots.root, 'share')
	};
}

/** The directory of the live revision; null when there is none of ours that can be read. */
export function liveDirectory(roots: PolicyRoots, live: Live): string | null {
	if (live.kind !== 'ours' && live.kind !== 'edited') return null;
	const directory = join(roots.revisions, live.revision);
	return findManifest(directory) === undefined ? null : directory;
}
