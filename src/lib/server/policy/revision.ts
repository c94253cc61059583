import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { z } from 'zod';
import { directoryFormat, readDirectory } from './directory.ts';
import { policyInput } from './input.ts';
import type { PolicyInput, PolicyPool, PolicySettings, PolicySource } from './input.ts';
import type { PolicyHashes } from './render.ts';
import { limitOf } from './rows.ts';
import type { DomainValue, SenderValue, TenantValue } from './rows.ts';

export interface RevisionFile {
	path: string;
	bytes: number;
	/** Lower-case hex. */
	sha256: string;
}

/** manifest.json: what a revision is, for the panel; KumoMTA does not read it. It holds no verifier and no key. */
export interface Manifest extends PolicyHashes {
	format: 1;
	/** `<number>-<first 12 of the hash>`, the name of its directory. */
	revision: string;
	/** All files but this one. */
	files: RevisionFile[];
	counts: { domains: number; senders: number; keys: number };
	settings: Omit<PolicySettings, 'httpApiVerifier'>;
	sources: PolicySource[];
	pools: PolicyPool[];
	removedPools: string[];
}

/** @throws when the file is missing, damaged or of another format. */
export function readManifest(directory: string): Manifest {
	const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as Manifest;
	if (manifest.format !== directoryFormat) throw new Error('The manifest of this revision has another format.');
	return manifest;
}

const credential = z.object({
	http: z.object({ credential: z.object({ salt: z.string(), hash: z.string() }).optional() })
});

/**
 * The input that a revision was made of, read back from its directory alone; what was kept out of it stays out. Rendering
 * it with the same program gives the same hash.
 * @throws when a file is missing or is not as it was written.
 */
export function readRevisionInput(directory: string): PolicyInput {
	const manifest = readManifest(directory);
	const node = credential.parse(parse(readFileSync(join(directory, 'node.toml'), 'utf8')));
	const input: PolicyInput = {
		settings: { ...manifest.settings, httpApiVerifier: node.http.credential ?? null },
		sources: manifest.sources,
		pools: manifest.pools,
		domains: [],
		dkimKeys: [],
		senders: [],
		mailboxes: [],
		tombstones: { senders: [], pools: manifest.removedPools }
	};
	readRows(join(directory, 'directory.sqlite'), input);
	return policyInput.parse(input);
}

function readRows(path: string, input: PolicyInput): void {
	const domains = new Map<string, string>();
	const hosts = new Map<string, string>();
	const pools = new Map(input.pools.map(({ name, id }) => [name, id]));
	for (const [table, key, text] of readDirectory(path)) {
		if (table === 'domain') {
			const value = JSON.parse(text) as DomainValue;
			domains.set(value.name, value.id);
			hosts.set(value.bounceHost, value.id);
			input.domains.push(domainOf(value));
		} else if (table === 'sender') {
			const value = JSON.parse(text) as SenderValue;
			input.senders.push(senderOf(key, value, { domains, pools }));
		} else if (table === 'tenant') {
			const { pool, sender } = JSON.parse(text) as TenantValue;
			if (sender === undefined) input.tombstones.senders.push({ tenant: key, pool });
		} else if (table === 'mailbox') {
			const { id } = JSON.parse(text) as { id: string };
			const domainId = hosts.get(key.slice(key.lastIndexOf('@') + 1)) ?? '';
			input.mailboxes.push({ id, domainId, address: key, enabled: true });
		} else if (table === 'dkim_key') {
			const { id, algorithm, hash } = JSON.parse(text) as { id: string; algorithm: 'ed25519'; hash: string };
			const [domain = '', selector = ''] = key.split('/');
			const domainId = domains.get(domain) ?? '';
			input.dkimKeys.push({ id, domainId, selector, algorithm, state: 'active', privateKeyHash: hash });
		}
	}
}

function domainOf({ id, name, bounceHost, anyReturnPath, complaint }: DomainValue): PolicyInput['domains'][number] {
	return { id, name, bounceHost, acceptAnyReturnPath: anyReturnPath, complaintAddress: complaint ?? null };
}

function senderOf(
	address: string,
	value: SenderValue,
	{ domains, pools }: { domains: Map<string, string>; pools: Map<string, string> }
): PolicyInput['senders'][number] {
	const { id, domain, tenant, pool, from, status, rate, retry, maxAge, salt, hash, iterations } = value;
	return {
		id,
		domainId: domains.get(domain) ?? '',
		address,
		tenant,
		poolId: pools.get(pool) ?? '',
		fromPolicy: from,
		status,
		limit: rate === undefined ? null : limitOf(rate),
		retryIntervalSeconds: retry ?? null,
		maxAgeSeconds: maxAge ?? null,
		verifier: salt === undefined || hash === undefined || iterations === undefined ? null : { salt, hash, iterations }
	};
}
