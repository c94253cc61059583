import type { z } from 'zod';
import type { DbOrTransaction } from '../core/database.ts';
import type * as inputs from './inputs.ts';
import type { SuppressionItem } from './item.ts';
import { walkSuppressions } from './list.ts';
import { getScope } from './service.ts';

const header = 'address,domain,reason,created_at,expires_at,class,code,status,count,note\r\n';

/** One page as CSV (RFC 4180); the pages put together are the whole file. */
export async function exportSuppressions(
	db: DbOrTransaction,
	input: z.infer<typeof inputs.exportSuppressions>
): Promise<z.infer<typeof inputs.exported>> {
	await getScope(db, input.domainId);
	const { items, nextCursor } = await walkSuppressions(db, input);
	const head = input.cursor === undefined ? header : '';
	return { text: head + items.map(lineOf).join(''), rows: items.length, nextCursor };
}

function lineOf({ address, domain, reason, createdAt, expiresAt, evidence, note }: SuppressionItem): string {
	const { class: group, code, status, count } = evidence ?? {};
	const times = [createdAt, expiresAt].map((at) => (at === null ? '' : new Date(at).toISOString()));
	const cells = [
		address,
		domain?.name ?? '',
		reason,
		...times,
		group,
		code,
		status,
		count,
		note.replace(/\s*\n\s*/g, ' ')
	];
	return `${cells.map(cell).join(',')}\r\n`;
}

/** A text that a spreadsheet would take for a formula gets an apostrophe in front; an import takes it away again. */
function cell(value: string | number | null | undefined): string {
	const text = String(value ?? '');
	const safe = typeof value === 'string' && /^[=+\-@\t]/.test(text) ? `'${text}` : text;
	return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
