import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const inSource = {
	migrations: '../../../../drizzle',
	'package.json': '../../../../package.json',
	'program.lua': '../policy/program.lua',
	'policy-worker': '../policy/worker.ts',
	'simulate-worker': '../policy/simulate/worker.ts',
	'suppression-worker': '../suppression/worker.ts',
	'double-core.lua': '../policy/lua/double-core.lua',
	'double-message.lua': '../policy/lua/double-message.lua',
	'double-values.lua': '../policy/lua/double-values.lua',
	'double-schemas.lua': '../policy/lua/double-schemas.lua',
	'double-kumo.lua': '../policy/lua/double-kumo.lua',
	'kumod-driver.lua': '../policy/simulate/kumod-driver.lua',
	'common-passwords.txt': '../auth/common-passwords.txt'
} as const;

const inBuild: Record<keyof typeof inSource, string> = {
	migrations: 'assets/drizzle',
	'package.json': 'assets/package.json',
	'program.lua': 'assets/program.lua',
	'policy-worker': 'policy-worker.js',
	'simulate-worker': 'simulate-worker.js',
	'suppression-worker': 'suppression-worker.js',
	'double-core.lua': 'assets/double-core.lua',
	'double-message.lua': 'assets/double-message.lua',
	'double-values.lua': 'assets/double-values.lua',
	'double-schemas.lua': 'assets/double-schemas.lua',
	'double-kumo.lua': 'assets/double-kumo.lua',
	'kumod-driver.lua': 'assets/kumod-driver.lua',
	'common-passwords.txt': 'assets/common-passwords.txt'
};

/** Absolute path of a file that travels beside the code: in the source tree, or below `build/` once bundled. */
export function assetPath(name: keyof typeof inSource): string {
	const here = fileURLToPath(import.meta.url);
	if (here.endsWith('core/assets.ts')) return join(dirname(here), inSource[name]);
	for (let directory = dirname(here); directory !== dirname(directory); directory = dirname(directory)) {
		const path = join(directory, inBuild[name]);
		if (existsSync(join(directory, 'assets')) && existsSync(path)) return path;
	}
	throw new Error(`The build lacks ${inBuild[name]}. Build again: npm run build`);
}
