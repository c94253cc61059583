import { createHash } from 'node:crypto';
import { and, asc, eq, ne, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { UserError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { breathe } from './plan.ts';
import { importParts } from './tables.ts';

const maxBytes = 64 * 1_048_576;
const purpose = (importId: string, part: number) => `imports:${importId}:${part}`;

/** Seals a part and puts it in its place. Answers how much of the file is there now. */
export async function storePart(
	app: App,
	tx: DbOrTransaction,
	{ id, part, text }: { id: string; part: number; text: Secret }
): Promise<{ parts: number; bytes: number }> {
	const [others] = await tx
		.select({ parts: sql<number>`count(*)`, bytes: sql<number>`coalesce(sum(${importParts.bytes}), 0)` })
		.from(importParts)
		.where(and(eq(importParts.importId, id), ne(importParts.part, part)));
	const bytes = (others?.bytes ?? 0) + text.bytes;
	if (bytes > maxBytes)
		throw new UserError(
			'PAYLOAD_TOO_LARGE',
			'An import holds at most 64 MB. This part was not added. Split the file into several imports.',
			{ reason: 'import-too-large' }
		);
	const row = { sealedText: app.keys.panel.seal(text, purpose(id, part)), bytes: text.bytes };
	await tx
		.insert(importParts)
		.values({ importId: id, part, ...row })
		.onConflictDoUpdate({ target: [importParts.importId, importParts.part], set: row });
	return { parts: (others?.parts ?? 0) + 1, bytes };
}

/** What stands for the text without being made of it: the sealed parts, whose nonces are random. */
export async function sealOf(db: DbOrTransaction, id: string): Promise<string> {
	const hash = createHash('sha256').update(id);
	for (const { part, head } of await db
		.select({ part: importParts.part, head: sql<string>`substr(${importParts.sealedText}, 1, 64)` })
		.from(importParts)
		.where(eq(importParts.importId, id))
		.orderBy(asc(importParts.part)))
		hash.update(`${part} ${head}\n`);
	return hash.digest('hex');
}

/** The whole text, opened part by part. @throws UserError part-missing */
export async function openText(app: App, id: string): Promise<string> {
	const numbers = await app.db
		.select({ part: importParts.part })
		.from(importParts)
		.where(eq(importParts.importId, id))
		.orderBy(asc(importParts.part));
	const first = numbers[0]?.part ?? 0;
	const gap = numbers.findIndex(({ part }, index) => part !== first + index);
	const missing =
		numbers.length === 0
			? 'Nothing was uploaded yet.'
			: first > 1
				? 'The first part is missing.'
				: gap > 0
					? `Part ${first + gap} is missing.`
					: undefined;
	if (missing !== undefined)
		throw new UserError(
			'PRECONDITION_FAILED',
			`${missing} Nothing was imported. Upload the missing part and try again.`,
			{ reason: 'part-missing' }
		);
	const pieces: string[] = [];
	for (const { part } of numbers) {
		pieces.push(await openPart(app, id, part));
		await breathe();
	}
	return pieces.join('');
}

async function openPart(app: App, id: string, part: number): Promise<string> {
	const [row] = await app.db
		.select({ sealedText: importParts.sealedText })
		.from(importParts)
		.where(and(eq(importParts.importId, id), eq(importParts.part, part)));
	return app.keys.panel.open(row?.sealedText ?? '', purpose(id, part)).open();
}

export async function removeParts(tx: DbOrTransaction, id: string): Promise<void> {
	await tx.delete(importParts).where(eq(importParts.importId, id));
}
