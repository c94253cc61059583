import { and, inArray, ne, or } from 'drizzle-orm';
import type { DbOrTransaction } from '../core/database.ts';
import { UserError } from '../core/errors.ts';
import { sources } from './tables.ts';

interface Named {
	address?: string | undefined;
	name?: string | undefined;
}

/** @throws UserError beside the field whose address or name another source has. */
export async function assertFreeSources(
	db: DbOrTransaction,
	wanted: Named[],
	{ addressField, exceptId = '' }: { addressField: 'address' | 'cidr'; exceptId?: string }
): Promise<void> {
	const addresses = wanted.flatMap(({ address }) => address ?? []);
	const names = wanted.flatMap(({ name }) => name ?? []);
	const taken = await db
		.select({ address: sources.address, name: sources.name })
		.from(sources)
		.where(and(or(inArray(sources.address, addresses), inArray(sources.name, names)), ne(sources.id, exceptId)));
	const used = taken.filter(({ address }) => addresses.includes(address)).map(({ address }) => address);
	if (used.length > 0) throw takenSource(addressField, used);
	if (taken.length > 0) throw takenSource('name');
}

export function takenSource(field: 'address' | 'cidr' | 'name', addresses: string[] = []): UserError {
	const shown = addresses.slice(0, 5).join(', ') + (addresses.length > 5 ? ` and ${addresses.length - 5} more` : '');
	const what =
		field === 'name' ? 'Another source has this name' : `There is a source for ${shown || 'this address'} already`;
	return new UserError('CONFLICT', `${what}. Nothing was saved. Choose another.`, {
		reason: field === 'name' ? 'name-taken' : 'address-taken',
		field
	});
}

/** A source without a name takes its EHLO name, or where another source has that (IPv4 beside IPv6), its address. */
export async function defaultNames<T extends { address: string; ehloDomain: string; name?: string | undefined }>(
	db: DbOrTransaction,
	added: T[]
): Promise<(T & { name: string })[]> {
	const candidates = added.map(({ ehloDomain }) => ehloDomain);
	const rows = await db.select({ name: sources.name }).from(sources).where(inArray(sources.name, candidates));
	const taken = new Set(rows.map(({ name }) => name));
	return added.map((source) => {
		const { name, ehloDomain, address } = source;
		return { ...source, name: name ?? (ehloDomain.length <= 64 && !taken.has(ehloDomain) ? ehloDomain : address) };
	});
}
