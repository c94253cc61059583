import type { App } from '../app.ts';
import { createResolver, isPublicAddress, reversedLabels } from '../dns/service.ts';
import type { DnsLookup } from '../dns/service.ts';
import { getSettings } from '../settings/service.ts';
import { sources } from '../sources/tables.ts';
import { blocklistZones } from './blocklist-zones.ts';
import type { BlocklistZone } from './blocklist-zones.ts';
import type { Check } from './check.ts';
import { judgeBlocklists, listingOf, whyUnusable } from './judge-blocklists.ts';
import type { AskedZone } from './judge-blocklists.ts';

const maxAddresses = 64;

export const blocklistCheck: Check = {
	id: 'blocklists',
	group: 'mail',
	title: 'Blocklists',
	why: 'Receivers that ask these lists refuse mail from an address on them. Asking tells each list which addresses are yours.',
	isAsked: true,
	async look(app) {
		const { resolvers } = await getSettings(app.db);
		const lookup = createResolver({ servers: resolvers, timeoutMs: 4000, totalMs: 20_000 });
		const addresses = await publicAddresses(app);
		const asked = await askBlocklists(blocklistZones, addresses.slice(0, maxAddresses), lookup);
		const left = Math.max(0, addresses.length - maxAddresses);
		return judgeBlocklists(asked, { addresses: addresses.length - left, left });
	}
};

async function publicAddresses({ db }: App): Promise<string[]> {
	const rows = await db
		.select({ address: sources.address, publicAddress: sources.publicAddress })
		.from(sources)
		.orderBy(sources.address)
		.limit(10_000);
	return [...new Set(rows.map(({ address, publicAddress }) => publicAddress ?? address).filter(isPublicAddress))];
}

/** Each list is tried on its own test entries first; one that cannot be believed is not asked about anything else. */
export function askBlocklists(zones: BlocklistZone[], addresses: string[], lookup: DnsLookup): Promise<AskedZone[]> {
	const ask = async (address: string, zone: string) => listingOf(await lookup.a(`${reversedLabels(address)}.${zone}`));
	return Promise.all(
		zones.map(async (zone) => {
			const [present, absent] = await Promise.all([ask('127.0.0.2', zone.zone), ask('127.0.0.1', zone.zone)]);
			const unusable = whyUnusable(present, absent);
			if (unusable !== undefined) return { zone, unusable, answers: [] };
			const fitting = addresses.filter((address) => zone.hasV6 || !address.includes(':'));
			const answers = await Promise.all(
				fitting.map(async (address) => ({ address, listing: await ask(address, zone.zone) }))
			);
			return { zone, answers };
		})
	);
}
