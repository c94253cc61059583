import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import type { Argument, Outcome, Policy } from '../../src/lib/server/policy/lua/vm.ts';
import { campaignHeader } from './estate.ts';
import { hostileText } from './hostile-text.ts';
import type { Arriving, Login } from './message.ts';
import { randomMessage } from './messages.ts';
import { play } from './play.ts';
import type { Random } from './random.ts';

/** One thing done to a policy; what it answers is plain data. */
export interface Probe {
	name: string;
	run: (policy: Policy) => unknown;
	/** Events in which a rule of policy.md lets an error stand: an unknown source must not send. */
	mayFail?: boolean;
}

/** Well-formed UTF-8: KumoMTA answers other bytes itself, before any handler runs. */
const hostile = (random: Random, right: string) => hostileText(random, right).toWellFormed();

export function randomProbe(random: Random, input: PolicyInput): Probe {
	if (random.chance(80)) {
		const message = spoiled(random, randomMessage(random, input));
		return { name: JSON.stringify(message), run: (policy) => play(policy, message) };
	}
	return random.pick([queueProbe, poolProbe, sourceProbe, domainProbe, rateProbe, rebindProbe, aclProbe])(
		random,
		input
	);
}

/** One or two of a message's texts become hostile. */
function spoiled(random: Random, message: Arriving): Arriving {
	const changed = structuredClone(message);
	spoil(random, changed);
	if (random.chance(40)) spoil(random, changed);
	return changed;
}

function spoil(random: Random, message: Arriving): void {
	const { arrival, recipients, headers } = message;
	const at = random.below(headers.length + 1);
	const header = headers[at];
	random.pick([
		() => (message.mailFrom = hostile(random, message.mailFrom)),
		() => (recipients[0] = hostile(random, recipients[0] ?? '')),
		() => (headers[at] = [header?.[0] ?? 'X-More', hostile(random, header?.[1] ?? '')]),
		() => headers.push([random.pick([campaignHeader, 'From', 'Content-Type']), hostile(random, 'value')]),
		() => {
			if (arrival.via === 'http' && arrival.basic !== undefined) {
				const key = random.pick(['user', 'password'] as const);
				arrival.basic[key] = hostile(random, arrival.basic[key]);
			} else if (arrival.via === 'smtp') {
				const login: Login = arrival.logins[0] ?? { user: 'a@b.example', password: 'x', authorizeAs: '' };
				const key = random.pick(['user', 'password', 'authorizeAs'] as const);
				arrival.logins[0] = { ...login, [key]: hostile(random, login[key]) };
			}
		}
	])();
}

const text = (value: string): Argument => ({ kind: 'text', value });
const named = (event: string, args: unknown[]) => `${event} ${JSON.stringify(args)}`;

function call(event: string, values: string[], mayFail = false): Probe {
	return { name: named(event, values), run: (policy): Outcome => policy.call(event, ...values.map(text)), mayFail };
}

const tenantOf = (random: Random, input: PolicyInput) => hostile(random, random.pick(input.senders).tenant);

const queueProbe = (random: Random, input: PolicyInput): Probe =>
	call('get_queue_config', [
		hostile(random, random.pick(['example.net', 'abcdefgh23456789.mailbox.internal'])),
		tenantOf(random, input),
		hostile(random, 'spring'),
		hostile(random, 'example.org')
	]);

const poolProbe = (random: Random): Probe => call('get_egress_pool', [hostile(random, 'main')]);

const sourceProbe = (random: Random, input: PolicyInput): Probe =>
	call('get_egress_source', [hostile(random, random.pick(input.sources).kumoName)], true);

const aclProbe = (random: Random): Probe => call('get_acl_definition', [hostile(random, 'http_listener/*/api/admin')]);

function domainProbe(random: Random, input: PolicyInput): Probe {
	const domain = hostile(random, random.pick(input.domains).bounceHost);
	const meta = { x_purpose: hostile(random, 'inbound'), authn_id: hostile(random, random.pick(input.senders).address) };
	return {
		name: named('get_listener_domain', [domain, meta]),
		run: (policy) => {
			const connection = policy.newConnection({ received_from: '203.0.113.9:1' });
			for (const [name, value] of Object.entries(meta)) policy.setConnectionMeta(connection, name, value);
			return policy.call('get_listener_domain', text(domain), text('x'), { kind: 'connection', value: connection });
		}
	};
}

function rateProbe(random: Random, input: PolicyInput): Probe {
	const tenant = tenantOf(random, input).replaceAll('\0', '');
	return {
		name: named('throttle_insert_ready_queue', [tenant]),
		run: (policy) => {
			const message = policy.newMessage({ sender: '', recipients: ['a@x.example'], headers: [], meta: { tenant } });
			return policy.call('throttle_insert_ready_queue', { kind: 'message', value: message });
		}
	};
}

function rebindProbe(random: Random): Probe {
	const id = hostile(random, 'a1').replaceAll('\0', '');
	return {
		name: named('rebind_message', [id]),
		run: (policy) => {
			const message = policy.newMessage({ id: 'a1', sender: '', recipients: ['a@x.example'], headers: [] });
			const outcome = policy.call(
				'rebind_message',
				{ kind: 'message', value: message },
				{ kind: 'data', value: { id, queue: id } }
			);
			return [outcome, policy.viewMessage(message).meta.queue === (id === 'a1' ? 'null' : undefined)];
		}
	};
}
