import { revisionOfConf } from './config.ts';
import type { DovecotPlace } from './roots.ts';
import { isPackaged } from './version.ts';

/** What Dovecot reads at its next start. `text` are the exact bytes, one character each, so that they can be put back. */
export type LiveConf =
	| { kind: 'absent' }
	| { kind: 'ours'; text: string; revision: string }
	/** The distribution's own, untouched. */
	| { kind: 'packaged'; text: string }
	| { kind: 'foreign'; text: string };

export async function findLiveConf(place: DovecotPlace): Promise<LiveConf> {
	const text = (await place.host.files.readBytes(place.roots.conf))?.toString('latin1');
	if (text === undefined) return { kind: 'absent' };
	const revision = revisionOfConf(text);
	if (revision !== undefined) return { kind: 'ours', text, revision };
	return { kind: (await isPackaged(place)) ? 'packaged' : 'foreign', text };
}

export const textOfConf = (live: LiveConf): string | undefined => (live.kind === 'absent' ? undefined : live.text);
