#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { root } from './install.mjs';

/** `npx kumomta-ui …` in a clone: the same command line that a release installs. */
const node = ensureBuilt();
const { status } = spawnSync(node, [join(root, 'build/cli.js'), ...process.argv.slice(2)], { stdio: 'inherit' });
process.exit(status ?? 1);
