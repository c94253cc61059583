import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureInstalled, fail, hashOf, root } from './install.mjs';

const stampFile = join(root, 'build/.source');
const policy = join(root, 'src/lib/server/policy');
const assets = [
	join(root, 'package.json'),
	join(policy, 'program.lua'),
	...readdirSync(join(policy, 'lua'))
		.filter((name) => name.endsWith('.lua'))
		.map((name) => join(policy, 'lua', name)),
	join(policy, 'simulate/kumod-driver.lua'),
	join(root, 'src/lib/server/auth/common-passwords.txt')
];

/** Builds when the sources differ from what was built last; times lie after a clone, so contents are compared. */
export function ensureBuilt() {
	const node = ensureInstalled();
	const stamp = hashOf(sources());
	if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return node;
	process.stdout.write('Building (half a minute) …\n');
	vite(node, ['build']);
	vite(node, ['build', '-c', 'vite.server.config.ts']);
	mkdirSync(join(root, 'build/assets'), { recursive: true });
	for (const file of assets) copyFileSync(file, join(root, 'build/assets', basename(file)));
	cpSync(join(root, 'drizzle'), join(root, 'build/assets/drizzle'), { recursive: true });
	writeFileSync(stampFile, stamp);
	return node;
}

/** @param {string} node @param {string[]} args */
function vite(node, args) {
	const { status, stdout, stderr } = spawnSync(node, [join(root, 'node_modules/vite/bin/vite.js'), ...args], {
		cwd: root,
		encoding: 'utf8',
		maxBuffer: 64 * 1024 * 1024,
		env: { ...process.env, NODE_ENV: 'production' }
	});
	if (status !== 0) fail(`${stdout}\n${stderr}\nThe build failed. Nothing was started.`);
}

function sources() {
	const files = [
		'package.json',
		'package-lock.json',
		'server.ts',
		'svelte.config.js',
		'vite.config.ts',
		'vite.server.config.ts',
		'tsconfig.json'
	];
	for (const directory of ['src', 'static', 'drizzle']) {
		for (const entry of readdirSync(join(root, directory), { recursive: true, withFileTypes: true })) {
			// Before Node 20.12 the parent had another name.
			const parent = String(entry.parentPath ?? Reflect.get(entry, 'path'));
			if (entry.isFile() && !entry.name.includes('.test.')) files.push(join(parent, entry.name).slice(root.length + 1));
		}
	}
	return files.sort();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) ensureBuilt();
