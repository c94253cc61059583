import { eq } from 'drizzle-orm';
import type { DbOrTransaction } from '../core/database.ts';
import { UserError } from '../core/errors.ts';
import { usedSelectors } from './tables.ts';

/** The next of `k1`, `k2` … above every one that the domain ever had, removed keys included. */
export async function nextSelector(db: DbOrTransaction, domainName: string): Promise<string> {
	const rows = await db
		.select({ selector: usedSelectors.selector })
		.from(usedSelectors)
		.where(eq(usedSelectors.domainName, domainName));
	const numbers = rows.map(({ selector }) => Number(/^k([1-9]\d{0,8})$/.exec(selector)?.[1] ?? 0));
	return `k${Math.max(0, ...numbers) + 1}`;
}

/**
 * Takes a selector for ever: resolvers and KumoMTA's key cache remember an old key under its name, so a selector never
 * gets a second one, not even after the key or the domain is gone.
 */
export async function takeSelector(
	db: DbOrTransaction,
	selector: { domainName: string; selector: string; usedAt: number }
): Promise<void> {
	const taken = await db.insert(usedSelectors).values(selector).onConflictDoNothing().returning();
	if (taken.length > 0) return;
	throw new UserError(
		'CONFLICT',
		`The selector ${selector.selector} was used in this domain before, and caches may still hold its key. Nothing was saved. Choose another, or leave it out.`,
		{
			reason: 'selector-used',
			field: 'selector'
		}
	);
}
