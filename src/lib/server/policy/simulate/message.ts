import type { Manifest } from '../revision.ts';
import type { DirectoryTable } from '../rows.ts';
import type { Queued } from '../lua/transaction.ts';
import type { Argument, Outcome, Policy } from '../lua/vm.ts';
import type { QueuedMessage, SimulatedStep } from './inputs.ts';
import { retryOf } from './retry.ts';

/** A revision that is open for simulations. */
export interface Opened {
	policy: Policy;
	manifest: Manifest;
	/** One row of directory.sqlite, parsed. */
	lookUp: (table: DirectoryTable, key: string) => Record<string, unknown> | undefined;
}

const mailboxQueue = /\.mailbox\.internal$/;
const text = (value: unknown): Argument => (typeof value === 'string' ? { kind: 'text', value } : { kind: 'none' });
const record = (outcome: Outcome): Record<string, unknown> =>
	outcome.kind === 'value' && typeof outcome.value === 'object' && outcome.value !== null
		? (outcome.value as Record<string, unknown>)
		: {};
const textOr = (value: unknown) => (typeof value === 'string' ? value : null);

/** Where an accepted message waits, how it leaves and what signs it, as the program's own handlers answer. */
export function followMessage(
	opened: Opened,
	queued: Queued,
	mailFrom: string
): { message: QueuedMessage; trail: SimulatedStep[] } {
	const kind = queued.queue === 'null' ? 'report-log' : mailboxQueue.test(queued.queue) ? 'mailbox' : 'outbound';
	const { tenant, campaign } = kind === 'mailbox' ? {} : queued.meta;
	const algorithms = new Map(signingKeys(opened, queued).map(({ selector, algorithm }) => [selector, algorithm]));
	const message: QueuedMessage = {
		kind,
		tenant: textOr(tenant),
		campaign: textOr(campaign),
		queue: queued.queue,
		pool: null,
		sources: [],
		signatures: queued.signatures.map(({ domain, selector, headers }) => ({
			domain,
			selector,
			algorithm: algorithms.get(selector) ?? 'unknown',
			headers: [...headers]
		})),
		retry: null,
		rates: []
	};
	if (kind !== 'report-log') Object.assign(message, routeOf(opened, queued, kind));
	const trail = inWords(message, queued.recipient);
	if (kind === 'outbound') trail.push(...reportInWords(opened, { mailFrom, subject: queued.recipient }));
	return { message, trail };
}

/**
 * Whom the program tells of a failure in delivery: nobody where the return path is none of ours. A test holds this
 * against the program's own hook.
 */
export function reportTarget({ lookUp }: Pick<Opened, 'lookUp'>, mailFrom: string): string | null | undefined {
	const [path = '', local = '', domain = ''] = /^(.*)@([^@]*)$/s.exec(mailFrom.toLowerCase()) ?? [];
	const host = lookUp('bounce_host', domain);
	if (host === undefined) return undefined;
	if (lookUp('domain', String(host.domain))?.reports !== true) return null;
	const [, account] = /^([^+@]+)\+[^@]*$/.exec(local) ?? [];
	const candidates = [path, ...(account === undefined ? [] : [`${account}@${domain}`]), textOr(host.account) ?? ''];
	return candidates.find((each) => lookUp('mailbox', each) !== undefined) ?? null;
}

function reportInWords(opened: Opened, { mailFrom, subject }: { mailFrom: string; subject: string }): SimulatedStep[] {
	const target = reportTarget(opened, mailFrom);
	if (target === undefined) return [];
	return [
		{
			stage: 'queue',
			subject,
			outcome: 'noted',
			rule: target === null ? 'failure-not-reported' : 'failure-reported',
			text:
				target === null
					? 'A bounce of this message would be reported to nobody: its return path belongs to no single bounce account, or its domain has reports off.'
					: `A bounce of this message would be reported to ${target}.`
		}
	];
}

function signingKeys({ lookUp }: Opened, { signatures }: Queued): { selector: string; algorithm: string }[] {
	const row = lookUp('domain', signatures[0]?.domain ?? '');
	return (row?.keys ?? []) as { selector: string; algorithm: string }[];
}

function routeOf(
	{ policy, manifest, lookUp }: Opened,
	queued: Queued,
	kind: 'outbound' | 'mailbox'
): Pick<QueuedMessage, 'pool' | 'sources' | 'retry' | 'rates'> {
	const { tenant, campaign, routing_domain: routing } = queued.meta;
	const domain = queued.recipient.slice(queued.recipient.lastIndexOf('@') + 1).toLowerCase();
	const names = kind === 'mailbox' ? [queued.queue] : [domain, tenant, campaign, routing];
	const config = record(policy.call('get_queue_config', ...Array.from({ length: 4 }, (_, at) => text(names[at]))));
	const sender = typeof tenant === 'string' ? lookUp('tenant', tenant) : undefined;
	const rates = [
		...(typeof sender?.rate === 'string' ? [{ scope: 'sender' as const, limit: sender.rate }] : []),
		...(typeof config.max_message_rate === 'string'
			? [{ scope: 'queue' as const, limit: config.max_message_rate }]
			: [])
	];
	// A Maildir is written by KumoMTA itself: no source takes part.
	if (kind === 'mailbox') return { pool: null, sources: [], retry: retryOf(config), rates };
	const pool = textOr(config.egress_pool);
	return { pool, sources: sourcesOf(policy, manifest, pool), retry: retryOf(config), rates };
}

function sourcesOf(policy: Policy, { sources }: Manifest, pool: string | null): QueuedMessage['sources'] {
	if (pool === null) return [];
	const found = record(policy.call('get_egress_pool', text(pool))).entries;
	const entries = (Array.isArray(found) ? found : []) as { name: string; weight?: number }[];
	const total = entries.reduce((sum, { weight = 1 }) => sum + weight, 0);
	return entries.map(({ name, weight = 1 }) => {
		const source = record(policy.call('get_egress_source', text(name)));
		return {
			name: sources.find(({ kumoName }) => kumoName === name)?.name ?? name,
			kumomtaName: name,
			address: textOr(source.source_address),
			ehloDomain: textOr(source.ehlo_domain),
			weight,
			share: total === 0 ? 0 : weight / total,
			pathLimits: null
		};
	});
}

function inWords(message: QueuedMessage, subject: string): SimulatedStep[] {
	const { kind, tenant, campaign, queue, pool, sources, signatures } = message;
	const step = (stage: SimulatedStep['stage'], rule: string, words: string): SimulatedStep => ({
		stage,
		subject,
		outcome: 'noted',
		rule,
		text: words
	});
	if (kind === 'report-log')
		return [
			step('queue', 'report-logged', 'It is a report without an account here: it is written to the log and not kept.')
		];
	if (kind === 'mailbox')
		return [step('queue', 'to-mailbox', 'It goes into the Maildir of the bounce account, and nowhere else.')];
	const belongs = tenant === null ? 'no tenant' : `tenant ${tenant}`;
	const selectors = signatures.map(({ selector }) => selector).join(' and ');
	return [
		step('sign', 'signed', `It is signed for ${signatures[0]?.domain ?? 'nobody'} by ${selectors || 'no key'}.`),
		step(
			'queue',
			'queued',
			`It waits in queue ${queue} (${belongs}${campaign === null ? '' : `, campaign ${campaign}`}).`
		),
		sources.length === 0
			? step('route', 'no-source', `Pool ${pool ?? 'none'} has no address: the message waits.`)
			: step('route', 'routed', `It leaves by pool ${pool}, through ${sources.map(({ name }) => name).join(', ')}.`)
	];
}
