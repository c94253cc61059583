import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { fail, root } from './install.mjs';

/**
 * Packs `release/kumomta-ui-<version>-linux-<architecture>.tar.gz` and its `.sha256`: the built server, the packages it
 * needs at run time and the pinned Node, so that a server needs neither Node nor npm. The same commit gives the same bytes.
 */
const node = ensureBuilt();
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const architecture = process.arch;
if (process.platform !== 'linux' || !['x64', 'arm64'].includes(architecture))
	fail(`A release is made on Linux, x64 or arm64; this is ${process.platform} ${architecture}. Nothing was made.`);
const pinned = join(root, `node_modules/node-linux-${architecture}/bin/node`);
if (node !== pinned) fail('The pinned Node is not installed, so no release was made. Run npm ci and try again.');

const name = `kumomta-ui-${version}`;
const out = join(root, 'release');
const stage = join(out, name);
const archive = join(out, `${name}-linux-${architecture}.tar.gz`);

/** @param {string} file @param {string[]} args @param {string} cwd */
function run(file, args, cwd) {
	const { status, stdout, stderr } = spawnSync(file, args, { cwd, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
	if (status !== 0) fail(`${stdout}\n${stderr}\n${file} failed. No release was made.`);
	return stdout;
}

/** @param {string} directory @returns {string[]} paths of regular files below it, sorted */
function filesBelow(directory) {
	return readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => relative(stage, join(entry.parentPath, entry.name)))
		.sort();
}

rmSync(stage, { recursive: true, force: true });
mkdirSync(join(stage, 'bin'), { recursive: true });
for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(root, file), join(stage, file));
// Node comes as a program of its own below.
const args = [
	'ci',
	'--omit=dev',
	'--include=optional',
	'--ignore-scripts',
	'--no-bin-links',
	'--no-fund',
	'--no-audit'
];
const { npm_execpath: npm, npm_node_execpath: npmNode = process.execPath } = process.env;
if (npm === undefined) run('npm', args, stage);
else run(npmNode, [npm, ...args], stage);
for (const each of readdirSync(join(stage, 'node_modules')))
	if (each.startsWith('node-linux-') || each.startsWith('.'))
		rmSync(join(stage, 'node_modules', each), { recursive: true });
rmSync(join(stage, 'package-lock.json'));

for (const directory of ['build', 'deploy', 'docs/operate'])
	cpSync(join(root, directory), join(stage, directory), { recursive: true });
for (const file of ['LICENSE', 'README.md', 'SECURITY.md', 'CHANGELOG.md'])
	copyFileSync(join(root, file), join(stage, file));
copyFileSync(pinned, join(stage, 'bin/node'));
writeFileSync(
	join(stage, 'bin/kumomta-ui'),
	'#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nexec "$here/node" "$here/../build/cli.js" "$@"\n'
);
for (const file of ['bin/node', 'bin/kumomta-ui']) chmodSync(join(stage, file), 0o755);
writeFileSync(join(stage, 'VERSION'), `${version}\n`);
const sums = filesBelow(stage).map((path) => {
	const hash = createHash('sha256')
		.update(readFileSync(join(stage, path)))
		.digest('hex');
	return `${hash}  ${path}\n`;
});
writeFileSync(join(stage, 'SHA256SUMS'), sums.join(''));

const at = run('git', ['log', '-1', '--format=%ct'], root).trim();
const sorted = [
	'--sort=name',
	`--mtime=@${at}`,
	'--owner=0',
	'--group=0',
	'--numeric-owner',
	'--mode=u+rwX,go+rX,go-w'
];
run('tar', [...sorted, '--use-compress-program=gzip -n', '-cf', archive, '-C', out, name], root);
const hash = createHash('sha256').update(readFileSync(archive)).digest('hex');
writeFileSync(`${archive}.sha256`, `${hash}  ${name}-linux-${architecture}.tar.gz\n`);
rmSync(stage, { recursive: true });
process.stdout.write(`${archive}\n${hash}\n`);
