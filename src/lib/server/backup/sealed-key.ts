import { createHash } from 'node:crypto';
import type { Client } from '@libsql/client';
import { z } from 'zod';
import { SealError } from '../core/secret.ts';
import type { ApplierKey } from '../core/secret.ts';
import { damaged } from './damage.ts';

const columns = z.tuple([z.string(), z.string(), z.string(), z.string()]);
export type SealedKey = z.infer<typeof columns>;

/** One DKIM key as it lies in the database; undefined when there is none. */
export async function findSealedKey(client: Client): Promise<SealedKey | undefined> {
	const { rows } = await client.execute(
		'SELECT sealed_private_key, domains.name, selector, private_key_hash FROM dkim_keys JOIN domains ON domains.id = domain_id LIMIT 1'
	);
	const row = rows[0];
	return row && columns.parse([0, 1, 2, 3].map((index) => row[index]));
}

/** Whether this key opens it. @throws UserError backup-damaged when what it opens is another text than the row says. */
export function opensSealedKey(key: ApplierKey, [sealed, domain, selector, hash]: SealedKey): boolean {
	try {
		const text = key.open(sealed, `dkim:${domain}:${selector}`);
		if (createHash('sha256').update(text.open()).digest('hex') !== hash)
			throw damaged('a DKIM key in its database is not the one it should be');
		return true;
	} catch (error) {
		if (error instanceof SealError) return false;
		throw error;
	}
}
