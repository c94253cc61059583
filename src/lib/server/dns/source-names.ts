import { asc } from 'drizzle-orm';
import type { App } from '../app.ts';
import { getSettings } from '../settings/service.ts';
import { sources } from '../sources/tables.ts';
import { checkRecords } from './check.ts';
import { sourceRecords } from './records.ts';
import { createResolver } from './resolver.ts';
import type { DnsLookup } from './resolver.ts';
import type { CheckedRecord } from './verdict.ts';

const maxSources = 1000;

/**
 * The reverse name of each source, forward-confirmed with the name it greets with. `reverse` is null where the address
 * that the world sees is not known. What could not be looked up in 20 s in all is `unknown`.
 */
export async function sourceNames(
	{ db }: Pick<App, 'db'>,
	given?: DnsLookup
): Promise<{ address: string; ehloDomain: string; reverse: CheckedRecord | null }[]> {
	const columns = {
		id: sources.id,
		address: sources.address,
		publicAddress: sources.publicAddress,
		ehloDomain: sources.ehloDomain
	};
	const rows = await db.select(columns).from(sources).orderBy(asc(sources.address)).limit(maxSources);
	const lookup = given ?? createResolver({ servers: (await getSettings(db)).resolvers, timeoutMs: 4000 });
	const expected = sourceRecords(rows).filter(({ kind }) => kind === 'ptr');
	const checked = new Map((await checkRecords(expected, lookup)).map((record) => [record.id, record]));
	return rows.map(({ id, address, publicAddress, ehloDomain }) => ({
		address: publicAddress ?? address,
		ehloDomain,
		reverse: checked.get(`ptr-${id}`) ?? null
	}));
}
