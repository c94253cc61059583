import { inject } from '../../src/lib/server/policy/lua/injection.ts';
import { openSession } from '../../src/lib/server/policy/lua/session.ts';
import type { Session } from '../../src/lib/server/policy/lua/session.ts';
import type { Queued, Reply } from '../../src/lib/server/policy/lua/transaction.ts';
import type { Outcome, Policy } from '../../src/lib/server/policy/lua/vm.ts';
import { campaignHeader } from './estate.ts';
import type { Arrival, Arriving, Decision, Delivery, Login } from './message.ts';

const line = ({ code, text, error }: Reply) => `${code} ${text}${error === undefined ? '' : ` (${error})`}`;
const good = ({ code }: Reply) => code >= 200 && code < 300;

/** Lets a message arrive at the program and tells what became of it. */
export function play(policy: Policy, message: Arriving): Decision {
	const { arrival } = message;
	return arrival.via === 'http' ? playHttp(policy, message, arrival) : playSmtp(policy, message, arrival);
}

function playHttp(
	policy: Policy,
	{ mailFrom, recipients, headers }: Arriving,
	arrival: Extract<Arrival, { via: 'http' }>
): Decision {
	const [recipient = ''] = recipients;
	const { peer, basic } = arrival;
	const answer = inject(policy, {
		peer,
		sender: mailFrom,
		recipient,
		headers,
		...(basic === undefined ? {} : { basic })
	});
	if (answer.message === undefined) {
		// A refused injection carries the policy's own reply in its reason.
		const reason = answer.reason ?? '';
		return { refused: [], reply: /^[45]\d\d /.test(reason) ? reason : `${answer.status} ${reason}`, deliveries: [] };
	}
	return { refused: [], reply: '250 OK', deliveries: [deliveryOf(policy, answer.message)] };
}

function playSmtp(policy: Policy, message: Arriving, arrival: Extract<Arrival, { via: 'smtp' }>): Decision {
	const session = openSession(policy, arrival);
	const ended = (reply: Reply): Decision => ({ refused: [], reply: line(reply), deliveries: [] });
	if (!session.isOpen()) return ended(session.greeting);
	const login = logIn(session, arrival.logins);
	if (login !== undefined && !good(login)) return ended(login);
	const from = session.mailFrom(message.mailFrom);
	if (!good(from)) return ended(from);
	const refused: string[] = [];
	let last: Reply | undefined;
	for (const recipient of message.recipients) {
		const reply = session.rcptTo(recipient);
		if (good(reply)) continue;
		refused.push(recipient);
		last ??= reply;
	}
	if (last !== undefined && refused.length === message.recipients.length) return ended(last);
	const data = session.data(message.headers);
	return { refused, reply: line(data), deliveries: data.messages.map((queued) => deliveryOf(policy, queued)) };
}

/** As a client with more than one password to try. */
function logIn(session: Session, logins: Login[]): Reply | undefined {
	let reply: Reply | undefined;
	for (const { user, password, authorizeAs } of logins) {
		if (!session.isOpen()) break;
		reply = session.auth(user, password, authorizeAs);
		if (good(reply)) break;
	}
	return reply;
}

const text = (value: string) => ({ kind: 'text', value }) as const;

function answerOf(name: string, outcome: Outcome): Record<string, unknown> {
	if (outcome.kind !== 'value') throw new Error(`${name}: ${JSON.stringify(outcome)}`);
	return (outcome.value ?? {}) as Record<string, unknown>;
}

/** What KumoMTA would ask for about a queued message. */
function deliveryOf(policy: Policy, { recipient, queue, meta, headers, signatures }: Queued): Delivery {
	const named = (name: string) => (typeof meta[name] === 'string' ? meta[name] : undefined);
	const [tenant, campaign, mailbox] = [named('tenant'), named('campaign'), named('x_mailbox')];
	const domain = recipient.split('@')[1] ?? '';
	const routed =
		tenant === undefined
			? {}
			: routeOf(policy, answerOf('get_queue_config', policy.call('get_queue_config', text(domain), text(tenant))));
	return {
		recipient,
		queue,
		...(tenant === undefined ? {} : { tenant }),
		...(campaign === undefined ? {} : { campaign }),
		...(mailbox === undefined ? {} : { mailbox }),
		...routed,
		hasCampaignHeader: headers.some(([name]) => name.toLowerCase() === campaignHeader.toLowerCase()),
		signatures: signatures.map((each) => `${each.selector}._domainkey.${each.domain}`).sort()
	};
}

function routeOf(policy: Policy, config: Record<string, unknown>): Partial<Delivery> {
	const pool = String(config.egress_pool);
	const { entries } = answerOf('get_egress_pool', policy.call('get_egress_pool', text(pool)));
	const ehlo = (entries as { name: string }[]).map(({ name }) =>
		String(answerOf('get_egress_source', policy.call('get_egress_source', text(name))).ehlo_domain)
	);
	return {
		pool,
		ehlo: ehlo.sort(),
		...(typeof config.max_message_rate === 'string' ? { rate: config.max_message_rate } : {}),
		...(typeof config.max_age === 'number' ? { maxAge: config.max_age } : {})
	};
}
