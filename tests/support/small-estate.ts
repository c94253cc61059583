import type { createClient } from './client.ts';

type Client = ReturnType<typeof createClient>;

/** An address of its own that a pool sends from. */
export async function addPool(
	client: Client,
	name: string,
	{ address, ehloDomain }: { address: string; ehloDomain: string }
): Promise<{ id: string; sourceId: string }> {
	const source = await client.sources.create.mutate({ address, ehloDomain });
	if (!('id' in source)) throw new Error('One source was asked for.');
	const pool = await client.pools.create.mutate({ name, sources: [{ sourceId: source.id, weight: 1 }] });
	return { id: pool.id, sourceId: source.id };
}

/** What any policy needs: a host name, and a pool `main` for whatever names no other. */
export async function addDefaultPool(client: Client): Promise<{ id: string; sourceId: string }> {
	const pool = await addPool(client, 'main', { address: '203.0.113.24', ehloDomain: 'out1.example.net' });
	await client.settings.update.mutate({ hostname: 'mta1.example.net', defaultPoolId: pool.id });
	return pool;
}

/** news@example.com, whose domain signs by k1. @returns the sender’s id */
export async function addSender(client: Client, poolId: string): Promise<string> {
	const domain = await client.domains.create.mutate({ name: 'example.com' });
	const key = await client.dkim.generate.mutate({ domainId: domain.id, algorithm: 'ed25519' });
	await client.dkim.activate.mutate({ id: key.id });
	const sender = await client.senders.create.mutate({ domainId: domain.id, localPart: 'news', poolId });
	return sender.id;
}
