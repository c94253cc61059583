import { startBuiltServer } from '../support/built-server.ts';
import { createClient } from '../support/client.ts';
import { estateInput, fillDatabase } from '../support/estate.ts';
import { p95 } from './measurement.ts';
import type { Measurement } from './measurement.ts';
import { signIn } from './sign-in.ts';

const budgetMs = 25;

/** Pages of lists over HTTP from the built server at 10,000 domains and 100,000 senders, one request at a time, p95. */
export async function benchHttpLists(): Promise<Measurement[]> {
	const server = await startBuiltServer();
	const input = estateInput({ domains: 10_000, senders: 100_000 });
	const tokens = await signIn(server, 20, ({ client }) => fillDatabase(client, input));
	const clients = tokens.map((token) => createClient(server.url, token));
	let asked = 0;
	const api = () => clients[asked++ % clients.length]!;

	let deep: string | undefined;
	for (let page = 0; page < 400; page += 1)
		deep = (await api().senders.list.query({ limit: 200, cursor: deep })).nextCursor ?? deep;
	const [domain] = (await api().domains.list.query({ limit: 1, search: 'd00500' })).items;
	if (domain === undefined) throw new Error('The estate has no domain d00500.');
	const measured: [string, number][] = [
		['senders, first page', await p95(() => api().senders.list.query({ limit: 50 }))],
		['senders, deep page', await p95(() => api().senders.list.query({ limit: 50, cursor: deep }))],
		['senders, common search', await p95(() => api().senders.list.query({ limit: 50, search: 'example' }))],
		['senders, rare search', await p95((run) => api().senders.list.query({ limit: 50, search: `d0${1000 + run}.ex` }))],
		['senders of a domain', await p95(() => api().senders.list.query({ limit: 50, domainId: domain.id }))],
		['domains, first page', await p95(() => api().domains.list.query({ limit: 50 }))],
		['domains, search', await p95((run) => api().domains.list.query({ limit: 50, search: `00${run % 90}` }))],
		['pools', await p95(() => api().pools.list.query({ limit: 50 }))],
		['audit', await p95(() => api().audit.list.query({ limit: 50 }))]
	];
	await server.remove();
	return measured.map(([name, ms]) => ({ name: `HTTP: ${name}`, budget: budgetMs, measured: ms, unit: 'ms' }));
}
