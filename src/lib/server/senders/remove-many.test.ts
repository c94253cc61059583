import { sql } from 'drizzle-orm';
import { expect, it } from 'vitest';
import { openTestApp } from '../../../../tests/support/app.ts';
import { createDomain, removeDomain } from '../domains/service.ts';
import { domains } from '../domains/tables.ts';
import { pools } from '../pools/tables.ts';
import { removedSenders, senders } from './tables.ts';

it('a domain with many senders goes whole, and others are served meanwhile', async () => {
	const app = await openTestApp();
	await app.db.insert(pools).values({ id: 'poolpoolpoolpoo2', name: 'main', createdAt: 1 });
	const [big, small] = await Promise.all(['big.example', 'small.example'].map((name) => createDomain(app, { name })));
	for (const [domain, from, to] of [
		[big, 0, 2499],
		[small, 5000, 5099]
	] as const)
		await app.db
			.run(sql`insert into senders (id, domain_id, local_part, address, tenant, pool_id, from_policy, status, created_at, version)
			with recursive n(i) as (select ${from} union all select i + 1 from n where i < ${to})
			select 'sender' || substr('0000000000' || i, -10), ${domain?.id}, 'u' || i, 'u' || i || '@' || ${domain?.name}, 'u' || i || '.' || ${domain?.name},
				'poolpoolpoolpoo2', 'address', 'enabled', 1, 1 from n`);
	let turns = 0;
	const timer = setInterval(() => (turns += 1), 0);
	const removal = removeDomain(app, { id: big?.id ?? '', confirm: 'big.example' });
	await removal.finally(() => clearInterval(timer));
	expect(turns).toBeGreaterThan(3);
	expect(await app.db.$count(domains)).toBe(1);
	expect(await app.db.$count(senders)).toBe(100);
	expect(await app.db.$count(removedSenders)).toBe(2500);
	expect(
		await app.db.get(sql`select count(*) as hits from senders_search where senders_search match '"@big.example"'`)
	).toEqual({ hits: 0 });
});
