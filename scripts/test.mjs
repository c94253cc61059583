import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { ensureInstalled, root } from './install.mjs';

/**
 * Runs every check and ends with one line that adds them up: `N passed, N failed[, N skipped]`.
 * `test.mjs faults` runs one slow suite. A check without tests of its own (lint, types) counts as one.
 */
const node = ensureInstalled();
const bin = (/** @type {string} */ path) => join(root, 'node_modules', path);
const total = { passed: 0, failed: 0, skipped: 0 };
const env = {
	...process.env,
	KUMOMTA_UI_REPORT: '1',
	PATH: `${dirname(node)}${delimiter}${process.env.PATH}`,
	CHROMIUM: process.env.CHROMIUM ?? '/usr/bin/chromium'
};

const slow = ['faults', 'proof', 'deploy', 'mail'];

/** Runs Node with arguments; a suite's own closing line is added up, any other check counts as one. @param {string} name @param {string[]} args @param {boolean} [suite] */
function check(name, args, suite = false) {
	const started = Date.now();
	return new Promise((resolve) => {
		const child = spawn(node, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
		let output = '';
		child.stdout.on('data', (chunk) => (output += chunk));
		child.stderr.on('data', (chunk) => (output += chunk));
		child.on('close', (code) => {
			const closing = suite
				? [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1)
				: undefined;
			const [passed, failed, skipped] = closing
				? [Number(closing[1]), Number(closing[2]), Number(closing[3] ?? 0)]
				: code === 0 && !suite
					? [1, 0, 0]
					: [0, 1, 0];
			const lost = code !== 0 && failed === 0 ? 1 : 0;
			total.passed += passed;
			total.failed += failed + lost;
			total.skipped += skipped;
			process.stdout.write(
				`${failed + lost === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(12)} ${((Date.now() - started) / 1000).toFixed(1)} s\n`
			);
			if (failed + lost > 0) process.stdout.write(output.slice(-40_000) + '\n');
			resolve(undefined);
		});
	});
}

/** Chromium comes from the distribution; without root or apt its tests are skipped with the reason. */
function ensureChromium() {
	if (existsSync(env.CHROMIUM)) return true;
	if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
		process.stdout.write('Installing Chromium for the browser tests …\n');
		const aptEnv = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
		for (const args of [
			['update', '-qq'],
			['install', '-y', '-qq', '--no-install-recommends', 'chromium']
		]) {
			spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env: aptEnv });
		}
	}
	return existsSync(env.CHROMIUM);
}

async function all() {
	ensureBuilt();
	await Promise.all([
		check('format', [bin('prettier/bin/prettier.cjs'), '--check', '.']),
		check('types', [bin('svelte-check/bin/svelte-check'), '--threshold', 'warning', '--fail-on-warnings'])
	]);
	await Promise.all([
		check('lint', [bin('eslint/bin/eslint.js'), '.', '--max-warnings', '0']),
		check('unused', [bin('knip/bin/knip.js')])
	]);
	await check('unit', [bin('vitest/vitest.mjs'), 'run', '--project', 'server', '--project', 'svelte'], true);
	if (ensureChromium()) await check('browser', [bin('@playwright/test/cli.js'), 'test'], true);
	else {
		total.skipped += 1;
		process.stdout.write(
			'skip   browser      Chromium is not installed and only root can install it (apt-get install chromium)\n'
		);
	}
}

const suite = process.argv[2];
if (suite === undefined) await all();
else if (slow.includes(suite)) {
	ensureBuilt();
	await check(suite, [bin('vitest/vitest.mjs'), 'run', '--project', suite], true);
} else {
	process.stderr.write(`There is no suite "${suite}". Known: ${slow.join(', ')}.\n`);
	process.exit(2);
}
process.stdout.write(
	`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`
);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
