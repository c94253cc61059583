import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { assetPath } from './assets.ts';

/** The version of this program, as its package says. */
export function readVersion(): string {
	return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(assetPath('package.json'), 'utf8'))).version;
}
