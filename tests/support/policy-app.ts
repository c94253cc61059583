import { createHash } from 'node:crypto';
import type { Client } from '@libsql/client';
import { createHost } from '../../src/lib/server/host/host.ts';
import type { FaultPoint, Owner } from '../../src/lib/server/host/files.ts';
import { Secret } from '../../src/lib/server/core/secret.ts';
import type { Keys } from '../../src/lib/server/core/key-files.ts';
import { createKumod } from '../../src/lib/server/kumod/client.ts';
import { domainName, estateId, estateInput, fillDatabase } from './estate.ts';

/** Where no KumoMTA ever answers: the port is reserved and needs a right to listen on. */
export const nobodyThere = 'http://127.0.0.1:1';

export interface Estate {
	domains: number;
	senders: number;
}

/** A sound estate whose DKIM keys open and have the hash that the table says. */
export async function fillEstate({ client, keys }: { client: Client; keys: Keys }, size: Estate): Promise<void> {
	await fillDatabase(client, estateInput(size));
	await sealEstateKeys(client, keys, size.domains);
}

/** The text of a key file; what it holds does not matter to the pipeline, which never parses it. */
export const estateKeyText = (number: number) =>
	`-----BEGIN PRIVATE KEY-----\n${estateId('key text', number)}\n-----END PRIVATE KEY-----\n`;

async function sealEstateKeys(client: Client, keys: Keys, domains: number): Promise<void> {
	for (let number = 0; number < domains; number += 1) {
		const text = estateKeyText(number);
		await client.execute({
			sql: 'UPDATE dkim_keys SET sealed_private_key = ?, private_key_hash = ? WHERE id = ?',
			args: [
				keys.applier.seal(new Secret(text), `dkim:${domainName(number)}:k1`),
				createHash('sha256').update(text).digest('hex'),
				estateId('key', number)
			]
		});
	}
}

/** This machine with a fault point, but never its systemd: a test must not restart anything. */
export function testHost(faultPoint: FaultPoint = () => {}) {
	return {
		...createHost(faultPoint),
		/** Numbers that no user has: nothing is given to them but what Dovecot's configuration says. */
		findUser: (name: string): Owner | undefined => (name === 'vmail' ? { uid: 60_002, gid: 60_002 } : undefined),
		systemd: {
			status: () =>
				Promise.resolve({ isManaged: false, isActive: false, detail: 'systemd does not run on this machine.' }),
			restart: () => Promise.reject(new Error('The test did not expect a restart.'))
		},
		interfaces: () => [{ interface: 'eth0', address: '192.0.2.1', family: 4 as const, isLoopback: false }]
	};
}

export const absentKumod = () => createKumod(nobodyThere);
