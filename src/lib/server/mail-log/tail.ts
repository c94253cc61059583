import type { App } from '../app.ts';
import { getSettings } from '../settings/service.ts';
import { closeReaders, listSegments, openDirectory } from './known.ts';
import type { Directory } from './known.ts';
import { readSegment } from './read-segment.ts';
import type { Taker, Work } from './read-segment.ts';
import { writeLogState } from './reader-state.ts';

/** At most this much in one turn; the next one goes on from there. */
const turnLimits: Work = { files: 500, pieces: 1024, lines: 400_000, records: 20_000 };

interface LogTail {
	turn: () => Promise<void>;
	close: () => void;
}

/**
 * Reads what is new in KumoMTA's log, turn by turn (docs/userguide/operation/logs.md). A turn that breaks off anywhere is
 * read again, and counted once.
 */
export function createLogTail(app: App, taker: Taker): LogTail {
	let directory: Directory | undefined;

	async function turn(): Promise<void> {
		const { logs } = await getSettings(app.db);
		if (directory?.path !== logs.directory) {
			close();
			directory = await openDirectory(app, logs.directory);
		}
		return writeLogState(app, { directory: logs.directory, ...(await readNew(app, taker, directory)) });
	}

	function close(): void {
		if (directory !== undefined) closeReaders(directory);
		directory = undefined;
	}

	return { turn, close };
}

type Seen = Pick<Parameters<typeof writeLogState>[1], 'state' | 'code'>;

async function readNew(app: App, taker: Taker, directory: Directory): Promise<Seen> {
	const listing = await listSegments(app, directory);
	if (listing.state !== 'listed') return listing;
	const left = { ...turnLimits };
	const { waiting, finished, foreign } = directory;
	for (const name of waiting) {
		if (isSpent(left)) break;
		left.files -= 1;
		const code = await readSegment(app, taker, { directory, name, left });
		if (code !== undefined) return { state: 'unreadable', code };
	}
	directory.waiting = waiting.filter((name) => !finished.has(name) && !foreign.has(name));
	return { state: isSpent(left) || directory.hasMore ? 'behind' : 'reading', code: null };
}

const isSpent = (left: Work) => Object.values(left).some((each: number) => each <= 0);
