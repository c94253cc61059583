import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { root } from './install.mjs';

/** Prints the budgets of the design with what was measured, as JSON. Numbers to read, never a test. */
const node = ensureBuilt();
const { status } = spawnSync(node, [join(root, 'tests/bench/main.ts')], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
