import { sql } from 'drizzle-orm';
import type { DbOrTransaction } from '../core/database.ts';
import { newId } from '../core/id.ts';
import { requestKeys } from '../dkim/service.ts';
import { createCredential, writeSenders } from '../senders/service.ts';
import type { SenderToWrite } from '../senders/service.ts';
import { bounceHostOf, breathe } from './plan.ts';
import type { Plan, PlannedSender } from './plan.ts';
import type { ImportResult } from './tables.ts';

/** Small enough that a statement holds the event loop for some ten milliseconds. */
const rowsAtOnce = 100;
const hashesAtOnce = 4;

type Hashed = Omit<SenderToWrite, 'domainId'>;

/** Replaces each password by what is stored of it; a few at a time in the thread pool, none on the event loop. */
export async function hashPasswords(senders: PlannedSender[], now: number): Promise<Hashed[]> {
	const hashed: Hashed[] = [];
	for (const chunk of chunksOf(senders, hashesAtOnce * 64)) {
		const queue = chunk.map((sender, index) => ({ sender, index: hashed.length + index }));
		const work = Array.from({ length: hashesAtOnce }, async () => {
			for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
				const { password, ...sender } = next.sender;
				const credential = password === null ? null : (await createCredential(password, now)).columns;
				hashed[next.index] = { ...sender, credential };
			}
		});
		await Promise.all(work);
		await breathe();
	}
	return hashed;
}

/** Writes a whole import inside its caller's transaction, chunk by chunk. */
export async function writeImport(
	tx: DbOrTransaction,
	{ plan, senders, importId, now }: { plan: Plan; senders: Hashed[]; importId: string; now: number }
): Promise<ImportResult> {
	for (const names of chunksOf(plan.newDomains, rowsAtOnce)) {
		await insertDomains(tx, names, now);
		await breathe();
	}
	const ids = new Map<string, string>();
	for (const names of chunksOf(
		[...new Set([...plan.keyDomains, ...senders.map(({ domainName }) => domainName)])],
		rowsAtOnce
	)) {
		for (const { name, id } of await findDomainIds(tx, names)) ids.set(name, id);
		await breathe();
	}
	for (const chunk of chunksOf(senders, rowsAtOnce)) {
		await writeSenders(
			tx,
			chunk.map((sender) => ({ ...sender, domainId: ids.get(sender.domainName) ?? '' })),
			now
		);
		await breathe();
	}
	for (const names of chunksOf(plan.keyDomains, rowsAtOnce)) {
		await requestKeys(
			tx,
			names.map((name) => ids.get(name) ?? ''),
			importId,
			now
		);
		await breathe();
	}
	const { domainsCreated, sendersCreated, sendersUpdated, keysRequested } = plan.summary;
	return { domainsCreated, sendersCreated, sendersUpdated, keysRequested };
}

/** With the defaults of `domains.create`. */
async function insertDomains(tx: DbOrTransaction, names: string[], now: number): Promise<void> {
	const list = JSON.stringify(names.map((name) => ({ id: newId(), name, host: bounceHostOf(name) })));
	await tx.run(sql`insert into domains (id, name, bounce_host, accept_any_return_path, dmarc, created_at, version)
		select value ->> 'id', value ->> 'name', value ->> 'host', 1, '{"policy":"none"}', ${now}, 1 from json_each(${list})`);
}

function findDomainIds(tx: DbOrTransaction, names: string[]): Promise<{ name: string; id: string }[]> {
	return tx.all(
		sql`select name, id from domains where name in (select value from json_each(${JSON.stringify(names)}))`
	);
}

function* chunksOf<T>(items: T[], size: number): Generator<T[]> {
	for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
