import { sql } from 'drizzle-orm';
import type { App } from '../../src/lib/server/app.ts';
import { domains } from '../../src/lib/server/domains/tables.ts';
import { feedbackEvents } from '../../src/lib/server/feedback/tables.ts';
import { pools } from '../../src/lib/server/pools/tables.ts';

/** A domain as it stands in the database, made without the rules of its feature. */
export async function insertDomain(app: App, name = 'example.com'): Promise<string> {
	const row = { name, bounceHost: `bounce.${name}`, acceptAnyReturnPath: true, dmarc: { policy: 'none' as const } };
	const [domain] = await app.db
		.insert(domains)
		.values({ ...row, createdAt: app.clock() })
		.returning({ id: domains.id });
	return domain!.id;
}

export async function insertPool(app: App, name = 'main'): Promise<string> {
	const [pool] = await app.db.insert(pools).values({ name, createdAt: app.clock() }).returning({ id: pools.id });
	return pool!.id;
}

/** Something that came back, as the reader of the log would store it. */
export async function insertEvent(app: App, fields: Partial<typeof feedbackEvents.$inferInsert> = {}): Promise<void> {
	await app.db.insert(feedbackEvents).values({
		at: app.clock(),
		kind: 'bounce',
		class: 'InvalidRecipient',
		recipient: 'ann@example.org',
		returnPath: 'bounces@bounce.example.com',
		code: 550,
		status: '5.1.1',
		diagnostic: '550 5.1.1 no such user',
		reporter: 'mx.example.org',
		messageId: 'a1',
		segment: '20260105-120000',
		line: 7,
		...fields
	});
}

/** Many senders in one statement: `news000001@<domain>` and so on, all in one pool. */
export async function insertSenders(
	app: App,
	{ domainId, poolId, count }: { domainId: string; poolId: string; count: number }
): Promise<void> {
	await app.db.run(sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
		insert into senders (id, domain_id, local_part, address, tenant, pool_id, from_policy, status, created_at, version)
		select substr('s000000000000000', 1, 16 - length(i)) || i, d.id, printf('news%06d', i), printf('news%06d@%s', i, d.name),
			printf('news%06d.%s', i, d.name), ${poolId}, 'address', 'enabled', 1000000 - i, 1
		from n, domains d where d.id = ${domainId}`);
}
