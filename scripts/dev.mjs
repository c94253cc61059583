import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureInstalled, root } from './install.mjs';

const node = ensureInstalled();
const dev = spawn(node, [join(root, 'node_modules/vite/bin/vite.js'), 'dev'], { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => dev.kill(/** @type {NodeJS.Signals} */ (signal)));
dev.on('exit', (code) => process.exit(code ?? 1));
