import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { root } from './install.mjs';

/** Installs and builds what is missing, then runs the server and hands signals on to it. */
const node = ensureBuilt();
const server = spawn(node, ['--max-semi-space-size=1', '--max-old-space-size=1024', join(root, 'build/server.js')], {
	cwd: root,
	stdio: 'inherit'
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
	process.on(signal, () => server.kill(signal === 'SIGHUP' ? 'SIGTERM' : /** @type {NodeJS.Signals} */ (signal)));
server.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
