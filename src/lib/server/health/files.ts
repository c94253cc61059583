import { join } from 'node:path';
import type { App } from '../app.ts';
import type { Host } from '../host/host.ts';
import { policyAccess, policyDirectory } from '../host/policy-access.ts';
import type { Check } from './check.ts';
import { judgeDataFiles, judgeDkimFiles, judgePolicyFiles, judgeTlsFiles } from './judge-files.ts';
import type { Seen } from './judge-files.ts';

/** Who can read and change what lies on the disk. What is closed to the panel says so: root sees it. */
export const fileChecks: Check[] = [
	{
		id: 'data-files',
		group: 'files',
		title: 'Database and keys',
		why: 'They hold every account and the keys that open its secrets.',
		look: lookAtData
	},
	{
		id: 'dkim-files',
		group: 'files',
		title: 'DKIM keys',
		why: 'Whoever reads a DKIM key signs mail as its domain.',
		async look({ host, env }) {
			const root = join(env.systemRoot, 'etc/dkim');
			const keys = await twoLevels(host, root, (name) => name.endsWith('.key'));
			return judgeDkimFiles({ keys, kumod: policyAccess(host).kumod });
		}
	},
	{
		id: 'policy-files',
		group: 'files',
		title: 'Policy',
		why: 'It holds the verifiers of all senders’ passwords, and it is code that KumoMTA runs.',
		look: lookAtPolicy
	},
	{
		id: 'tls-files',
		group: 'files',
		title: 'Keys of certificates',
		why: 'With the key of a certificate somebody else can pass for this server.',
		look: async ({ host, env }) =>
			judgeTlsFiles(await twoLevels(host, join(env.systemRoot, 'etc/tls'), (name) => name === 'privkey.pem'))
	}
];

async function lookAtData({ host, env }: App) {
	const directory = await see(host, [env.dataDir]);
	// The sandbox of a machine without KumoMTA has checks of its own.
	const names = (await host.files.list(env.dataDir)).filter((name) => name !== 'kumomta');
	const outside = env.databaseUrl.startsWith('file:') ? [env.databaseUrl.slice('file:'.length)] : [];
	const files = await see(host, [...names.map((name) => join(env.dataDir, name)), ...outside]);
	if (directory[0] === undefined) throw new Error('The data directory is not there.');
	return judgeDataFiles(directory[0], files);
}

async function lookAtPolicy({ host, env }: App) {
	const path = policyDirectory(env.systemRoot);
	const revisions = join(path, 'revisions');
	const [directory] = await see(host, [path]);
	const below = (await host.files.list(path)).filter((name) => name !== 'revisions').map((name) => join(path, name));
	const newest = (await host.files.list(revisions)).sort(byNumber).slice(-shownRevisions);
	const inside = await Promise.all(
		newest.map(async (name) =>
			(await host.files.list(join(revisions, name))).map((file) => join(revisions, name, file))
		)
	);
	const paths = [...below, revisions, ...newest.map((name) => join(revisions, name)), ...inside.flat()];
	return judgePolicyFiles({
		directory,
		below: await see(host, paths),
		hasKumod: policyAccess(host).kumod !== undefined
	});
}

/** The directory around them says for all; these are looked into. */
const shownRevisions = 5;
const byNumber = (a: string, b: string) => parseInt(a, 10) - parseInt(b, 10);

async function see(host: Host, paths: string[]): Promise<Seen[]> {
	const seen: Seen[] = [];
	// One after another: 10,000 keys must not hold the threads that everything else waits for.
	for (const path of paths) {
		const state = await host.files.stat(path);
		if (state !== undefined) seen.push({ path, state });
	}
	return seen;
}

/** Files in the directories of a directory: `<domain>/<selector>.key`. */
async function twoLevels(host: Host, root: string, isWanted: (name: string) => boolean): Promise<Seen[]> {
	const seen: Seen[] = [];
	for (const { path } of (
		await see(
			host,
			(await host.files.list(root)).map((name) => join(root, name))
		)
	).filter(({ state }) => state.kind === 'directory')) {
		const names = (await host.files.list(path)).filter(isWanted);
		seen.push(
			...(await see(
				host,
				names.map((name) => join(path, name))
			))
		);
	}
	return seen;
}
