import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { auditJob } from '../audit/service.ts';
import { generateKeyMaterial } from './key-material.ts';
import { findKeyRequest } from './key-requests.ts';
import { addKey, hasActiveKey } from './service.ts';
import { keyRequests } from './tables.ts';

const job = 'dkim.make-requested-keys';
/** A turn ends after so many keys, so that a stopping process does not wait for a thousand. */
const keysPerTurn = 25;

/** Makes requested keys one by one: RSA-2048, active at once. A domain that has an active key by now gets none. */
export async function makeRequestedKeys(app: App): Promise<void> {
	for (let made = 0; made < keysPerTurn; made += 1) {
		const domainId = await findKeyRequest(app.db);
		if (domainId === undefined) return;
		await makeRequestedKey(app, domainId);
	}
}

async function makeRequestedKey(app: App, domainId: string): Promise<void> {
	const material = (await hasActiveKey(app.db, domainId)) ? undefined : await generateKeyMaterial('rsa-2048');
	const key = await app.db.transaction(async (tx) => {
		const due = await tx.delete(keyRequests).where(eq(keyRequests.domainId, domainId)).returning();
		if (due.length === 0 || material === undefined || (await hasActiveKey(tx, domainId))) return undefined;
		return addKey(app, tx, { domainId, material, isActive: true });
	});
	if (key === undefined) return;
	const input = { domainId, algorithm: key.algorithm, selector: key.selector };
	await auditJob(app, { job, action: 'dkim.generate', target: key.id, input });
}
