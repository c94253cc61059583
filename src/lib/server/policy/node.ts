import { stringify } from 'smol-toml';
import { suppressionFormat } from '../core/suppression-format.ts';
import type { PolicyHead, PolicySettings } from './input.ts';

/** Absolute directories of the machine that a revision is written for. They are no part of its hash. */
export interface Roots {
	/** `<etc>/policy`: the live init.lua lies here. */
	policy: string;
	/** `<etc>/dkim` */
	dkim: string;
	/** `<etc>/tls` */
	tls: string;
	/** Maildirs of bounce accounts. */
	mail: string;
	/** What KumoMTA's package installs beside the program. */
	share: string;
}

export const defaultListeners: NonNullable<PolicySettings['listeners']> = [
	{ address: '0.0.0.0', port: 25, purpose: 'inbound' },
	{ address: '0.0.0.0', port: 587, purpose: 'submission' }
];

/** Capacities of the program's look-up caches; KumoMTA's own signer and key caches hold 1,024 unless told. */
export function cachesFor(activeKeys: number) {
	return { senders: 50_000, domains: 20_000, ttl: '5 minutes', dkim: dkimCapacity(activeKeys) };
}

/** At least twice the active keys, in powers of two: this is read at start only, and a new key must not mean a restart. */
function dkimCapacity(activeKeys: number): number {
	let capacity = 1024;
	while (capacity < 2 * activeKeys) capacity *= 2;
	return capacity;
}

/** What `pre_init` and `init` read: a change here reaches KumoMTA only by a restart. */
export function initPart({ settings, dkimKeys }: PolicyHead) {
	return {
		hostname: settings.hostname ?? '',
		monitor_globs: settings.monitorGlobs,
		relay_hosts: settings.relayHosts,
		caches: cachesFor(dkimKeys.length),
		listener: settings.listeners ?? defaultListeners,
		tls: settings.tlsName,
		spool: {
			directory: settings.spool.directory,
			kind: settings.spool.kind,
			min_free: `${settings.spool.minFreePercent}%`
		},
		logs: { directory: settings.logs.directory, max_segment_duration: `${settings.logs.maxSegmentSeconds} seconds` },
		http: { listen: '127.0.0.1:8000', mode: settings.httpApi }
	};
}

interface PoolPart {
	entries: { name: string; weight: number }[];
}

/** Sources and pools as KumoMTA knows them; removed pools have no entries, so that their mail waits. */
export function sourcesPart({ sources, pools, tombstones }: PolicyHead) {
	const kumoNames = new Map(sources.map(({ id, kumoName }) => [id, kumoName]));
	const entriesOf = (pool: PolicyHead['pools'][number]) =>
		pool.entries.flatMap(({ sourceId, weight }) => {
			const name = kumoNames.get(sourceId);
			return name === undefined ? [] : [{ name, weight }];
		});
	return {
		source: Object.fromEntries(
			sources.map(({ kumoName, address, ehloDomain }) => [
				kumoName,
				{ source_address: address, ehlo_domain: ehloDomain }
			])
		),
		pool: Object.fromEntries([
			...tombstones.pools.map((name): [string, PoolPart] => [name, { entries: [] }]),
			...pools.map((pool): [string, PoolPart] => [pool.name, { entries: entriesOf(pool) }])
		])
	};
}

/** The text of node.toml. @param probeKeys new keys, which `--validate` signs a probe with. */
export function nodeToml(
	input: PolicyHead,
	{ revision, roots, probeKeys }: { revision: string; roots: Roots; probeKeys: { domain: string; selector: string }[] }
): string {
	const { hostname, monitor_globs, relay_hosts, caches, listener, tls, spool, logs, http } = initPart(input);
	const { defaultPool, campaignHeader, httpApiVerifier } = input.settings;
	return stringify({
		format: 1,
		revision,
		hostname,
		live_init: `${roots.policy}/init.lua`,
		monitor_globs,
		...(defaultPool !== null && { default_pool: defaultPool }),
		...(campaignHeader !== null && { campaign_header: campaignHeader }),
		mail_root: roots.mail,
		suppression_root: `${roots.policy}/${suppressionFormat.directory}`,
		dkim_root: roots.dkim,
		share_root: roots.share,
		relay_hosts,
		caches,
		listener,
		...(tls !== null && {
			tls: { certificate: `${roots.tls}/${tls}/fullchain.pem`, private_key: `${roots.tls}/${tls}/privkey.pem` }
		}),
		spool,
		logs,
		http: { ...http, ...(httpApiVerifier !== null && { credential: httpApiVerifier }) },
		...sourcesPart(input),
		...(probeKeys.length > 0 && { probe_key: probeKeys })
	});
}
