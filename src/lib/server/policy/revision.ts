import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { z } from 'zod';
import { directoryFormat, readDirectory } from './directory.ts';
import { policyInput, policySender } from './input.ts';
import type { PolicyHead, PolicyPool, PolicySender, PolicySettings, PolicySource } from './input.ts';
import type { PolicyHashes } from './render.ts';
import { limitOf } from './rows.ts';
import type { DomainValue, MailboxValue, SenderValue, TenantValue } from './rows.ts';

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

/** The verifier of the HTTP API's credential in a node.toml; null when it has none, or cannot be read. */
export function revisionCredential(directory: string): PolicySettings['httpApiVerifier'] {
	try {
		return credential.parse(parse(readFileSync(join(directory, 'node.toml'), 'utf8'))).http.credential ?? null;
	} catch {
		return null;
	}
}

/**
 * The input that a revision was made of, read back from its directory alone; what was kept out of it stays out. Rendering
 * it with the same program gives the same hash.
 * @throws when a file is missing or is not as it was written.
 */
export function readRevisionHead(directory: string): PolicyHead {
	const manifest = readManifest(directory);
	const node = credential.parse(parse(readFileSync(join(directory, 'node.toml'), 'utf8')));
	const head: PolicyHead = {
		settings: { ...manifest.settings, httpApiVerifier: node.http.credential ?? null },
		sources: manifest.sources,
		pools: manifest.pools,
		domains: [],
		dkimKeys: [],
		mailboxes: [],
		tombstones: { senders: [], pools: manifest.removedPools }
	};
	readHeadRows(join(directory, 'directory.sqlite'), head);
	return policyInput.omit({ senders: true }).parse(head);
}

function readHeadRows(path: string, head: PolicyHead): void {
	const domains = new Map<string, string>();
	const hosts = new Map<string, string>();
	for (const [table, key, text] of readDirectory(path, ['domain', 'tenant', 'mailbox', 'dkim_key'])) {
		if (table === 'domain') {
			const value = JSON.parse(text) as DomainValue;
			domains.set(value.name, value.id);
			hosts.set(value.bounceHost, value.id);
			head.domains.push(domainOf(value));
		} else if (table === 'tenant') {
			const { pool, sender } = JSON.parse(text) as TenantValue;
			if (sender === undefined) head.tombstones.senders.push({ tenant: key, pool });
		} else if (table === 'mailbox') {
			const { id, quota, hash } = JSON.parse(text) as MailboxValue;
			const domainId = hosts.get(key.slice(key.lastIndexOf('@') + 1)) ?? '';
			const login = hash === undefined || quota === undefined ? null : { hash, quotaBytes: quota };
			head.mailboxes.push({ id, domainId, address: key, enabled: true, login });
		} else {
			const { id, algorithm, hash } = JSON.parse(text) as { id: string; algorithm: 'ed25519'; hash: string };
			const [domain = '', selector = ''] = key.split('/');
			const domainId = domains.get(domain) ?? '';
			head.dkimKeys.push({ id, domainId, selector, algorithm, state: 'active', privateKeyHash: hash });
		}
	}
}

/** The senders of a revision, ordered by address. @param head of the same revision. */
export function* readRevisionSenders(directory: string, head: PolicyHead): Generator<PolicySender> {
	const domains = new Map(head.domains.map(({ name, id }) => [name, id]));
	const pools = new Map(head.pools.map(({ name, id }) => [name, id]));
	for (const [, address, text] of readDirectory(join(directory, 'directory.sqlite'), ['sender']))
		yield policySender.parse(senderOf(address, JSON.parse(text) as SenderValue, { domains, pools }));
}

function domainOf(value: DomainValue): PolicyHead['domains'][number] {
	const { id, name, bounceHost, anyReturnPath, complaint, reports, suppression } = value;
	return {
		id,
		name,
		bounceHost,
		acceptAnyReturnPath: anyReturnPath,
		reportFailures: reports === true,
		suppression: suppression === true,
		complaintAddress: complaint ?? null
	};
}

function senderOf(
	address: string,
	value: SenderValue,
	{ domains, pools }: { domains: Map<string, string>; pools: Map<string, string> }
): PolicySender {
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
