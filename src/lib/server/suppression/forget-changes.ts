import { setImmediate as nextTurn } from 'node:timers/promises';
import { gt, inArray, lte, sql } from 'drizzle-orm';
import type { Db } from '../core/database.ts';
import { suppressionChanges as changes } from './tables.ts';

const few = 10_000;
/** Kept rows that may stand in memory for a moment. */
const most = 50_000;
const atOnce = 1000;

/**
 * Forgets the changes that the base holds. Few go one by one. After an import there are as many as the list has rows:
 * taking those out of two trees would write each page many times, so the table is emptied as a whole (SQLite then only
 * frees its pages) and the later changes are put back, with their numbers, in the same transaction.
 */
export async function forgetChanges(db: Db, upTo: number): Promise<void> {
	const count = (where: ReturnType<typeof gt>, limit: number) =>
		db.$count(
			db
				.select({ one: sql`1` })
				.from(changes)
				.where(where)
				.limit(limit)
				.as('some')
		);
	const isMany = (await count(lte(changes.seq, upTo), few + 1)) > few;
	if (isMany && (await count(gt(changes.seq, upTo), most + 1)) <= most) return emptyBut(db, upTo);
	for (;;) {
		const some = db.select({ seq: changes.seq }).from(changes).where(lte(changes.seq, upTo)).limit(atOnce);
		const { rowsAffected } = await db.delete(changes).where(inArray(changes.seq, some));
		if (rowsAffected === 0) return;
		await nextTurn();
	}
}

async function emptyBut(db: Db, upTo: number): Promise<void> {
	await db.transaction(async (tx) => {
		const { kept } = await tx.get<{ kept: string }>(
			sql`select json_group_array(json_array(seq, address, scope)) as kept from ${changes} where seq > ${upTo}`
		);
		await tx.run(sql`delete from ${changes}`);
		await tx.run(sql`insert into ${changes} (seq, address, scope)
			select value ->> '$[0]', value ->> '$[1]', value ->> '$[2]' from json_each(${kept})`);
	});
}
