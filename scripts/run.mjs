import { spawnSync } from 'node:child_process';
import { ensureBuilt } from './build.mjs';
import { root } from './install.mjs';

/** Runs a TypeScript file of the project on the pinned Node, with everything installed and built. */
const node = ensureBuilt();
const { status } = spawnSync(node, process.argv.slice(2), { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
