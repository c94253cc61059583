import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, 'node_modules/.installed');

/**
 * Installs the locked packages when they are missing or the lock changed, and answers the path of Node 24.
 * Looks for the binary instead of trusting npm's exit code: npm may skip optional packages in silence.
 */
export function ensureInstalled() {
	const stamp = hashOf(['package-lock.json']);
	if (existsSync(join(root, 'node_modules')) && lstatSync(join(root, 'node_modules')).isSymbolicLink()) {
		fail(
			'node_modules is a link: installing through it would empty another folder. Nothing was changed. Remove the link.'
		);
	}
	if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) {
		process.stdout.write('Installing packages (a minute or so, once) …\n');
		const args = [
			'ci',
			'--ignore-scripts',
			'--include=dev',
			'--include=optional',
			'--loglevel=error',
			'--no-fund',
			'--no-audit'
		];
		const { npm_execpath: npm, npm_node_execpath: node = process.execPath } = process.env;
		const command = npm === undefined ? 'npm' : node;
		const { status } = spawnSync(command, npm === undefined ? args : [npm, ...args], {
			cwd: root,
			stdio: ['ignore', 'inherit', 'inherit']
		});
		if (status !== 0)
			fail(
				'npm could not install the packages. Nothing was started. Check the network and the messages above, then try again.'
			);
		writeFileSync(stampFile, stamp);
	}
	return nodeBinary();
}

/** The pinned Node where a package brings it (Linux), else this machine's own when it is new enough. */
function nodeBinary() {
	const pinned = join(root, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
	if (existsSync(pinned)) {
		const link = join(root, 'node_modules/.bin/node');
		if (!existsSync(link)) {
			mkdirSync(dirname(link), { recursive: true });
			symlinkSync(pinned, link);
		}
		return pinned;
	}
	if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
	return fail(
		`KumoMTA UI needs Node 24 or newer on ${process.platform} ${process.arch}; this is ${process.version}. Install Node 24 and start again.`
	);
}

/** @param {string[]} files paths below the root */
export function hashOf(files) {
	const hash = createHash('sha256');
	for (const file of files)
		hash
			.update(file)
			.update('\0')
			.update(readFileSync(join(root, file)));
	return hash.digest('hex');
}

/** @param {string} message @returns {never} */
export function fail(message) {
	process.stderr.write(`${message}\n`);
	process.exit(1);
}
