import { and, desc, eq, sql } from 'drizzle-orm';
import type { DbOrTransaction } from '../core/database.ts';
import { plainText } from '../core/plain-text.ts';
import { logSegments } from './tables.ts';

const shownBad = 10;

/** What was read last of a log's directory, and what of it could not be read. */
export async function getLogProgress(db: DbOrTransaction, directory: string) {
	const { name, state, lines, unreadableLines, seenAt } = logSegments;
	// As the index has it, so that it is used.
	const isBad = sql`(state = 'damaged' or unreadable_lines > 0)`;
	const [[last], bad, badSegmentCount] = await Promise.all([
		db
			.select({ name, lines, seenAt })
			.from(logSegments)
			.where(eq(logSegments.directory, directory))
			.orderBy(desc(seenAt))
			.limit(1),
		db
			.select({ name, state, lines, unreadableLines, seenAt })
			.from(logSegments)
			.where(and(isBad, eq(logSegments.directory, directory)))
			.orderBy(desc(seenAt))
			.limit(shownBad),
		db.$count(logSegments, and(isBad, eq(logSegments.directory, directory)))
	]);
	return {
		lastSegment: last === undefined ? null : { ...last, name: plainText(last.name, 255) },
		badSegments: bad.map((each) => ({
			...each,
			name: plainText(each.name, 255),
			what: each.state === 'damaged' ? ('damaged' as const) : ('unreadable-lines' as const)
		})),
		badSegmentCount
	};
}
