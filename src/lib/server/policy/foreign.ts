import { join } from 'node:path';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { liveLookup } from './directory.ts';
import { hintsFor } from './foreign-hints.ts';
import type * as inputs from './foreign-inputs.ts';
import { bytesOf, readLive } from './live.ts';
import { maskLines } from './masked-text.ts';
import { policyRoots } from './roots.ts';
import { waitForPending } from './service.ts';

const shownLines = 2000;
const shownCharacters = 500;

/**
 * The live policy that the panel did not write, masked, beside what ours would do; null when there is none. It is read as
 * text: nothing of it is run, and no file that it names is opened.
 */
export async function explainForeign(app: App): Promise<z.infer<typeof inputs.foreignAnswer>> {
	const live = await readLive(app.host, policyRoots(app.env.kumomtaRoot));
	if (live.kind !== 'foreign' && live.kind !== 'packaged') return null;
	const text = bytesOf(live.text).toString('utf8');
	const raw = text.split('\n');
	const { lines, masked } = maskLines(raw);
	const pending = await waitForPending(app);
	const lookup = liveLookup(join(pending.directory, 'directory.sqlite'));
	try {
		const { settings, sources, pools } = pending.manifest;
		const hasDomain = (name: string) => lookup.has('domain', name);
		return {
			sha256: live.sha256,
			bytes: live.text.length,
			isPackaged: live.kind === 'packaged',
			lines: lines.slice(0, shownLines).map((line) => line.slice(0, shownCharacters)),
			lineCount: lines.length,
			masked,
			hints: hintsFor(raw, lines, { settings, sources, pools, hasDomain })
		};
	} finally {
		lookup.close();
		pending.release();
	}
}
