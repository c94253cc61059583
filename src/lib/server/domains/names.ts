import { and, ne, or, eq } from 'drizzle-orm';
import type { DbOrTransaction } from '../core/database.ts';
import { UserError } from '../core/errors.ts';
import { domains } from './tables.ts';

/**
 * A name is either one domain or one bounce host, since mail to it is treated differently.
 * @throws UserError beside the field whose name is taken.
 */
export async function assertFreeNames(
	db: DbOrTransaction,
	{ name, bounceHost, exceptId = '' }: { name: string; bounceHost: string; exceptId?: string }
): Promise<void> {
	if (bounceHost === name) throw nameTaken('bounceHost');
	const taken = await db
		.select({ name: domains.name, bounceHost: domains.bounceHost })
		.from(domains)
		.where(
			and(
				or(
					eq(domains.name, name),
					eq(domains.name, bounceHost),
					eq(domains.bounceHost, name),
					eq(domains.bounceHost, bounceHost)
				),
				ne(domains.id, exceptId)
			)
		);
	if (taken.some((each) => each.name === name || each.bounceHost === name)) throw nameTaken('name');
	if (taken.length > 0) throw nameTaken('bounceHost');
}

export function nameTaken(field: 'name' | 'bounceHost'): UserError {
	const message =
		field === 'name'
			? 'This name is a domain or a bounce host already. Nothing was saved. Open that domain, or choose another name.'
			: 'The bounce host is a domain or another bounce host already. Nothing was saved. Choose a name of its own, like bounce.example.com.';
	return new UserError('CONFLICT', message, { reason: field === 'name' ? 'name-taken' : 'bounce-host-taken', field });
}
