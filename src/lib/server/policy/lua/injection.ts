import { isInside } from './network.ts';
import { queued } from './transaction.ts';
import type { Header } from './host.ts';
import type { Queued } from './transaction.ts';
import type { Outcome, Policy } from './vm.ts';

export interface Injection {
	peer: string;
	/** `isTakenAsRight`: nobody asks for the password. */
	basic?: { user: string; password?: string; isTakenAsRight?: boolean };
	sender: string;
	recipient: string;
	headers: readonly Header[];
}

/**
 * What POST /api/inject/v1 answers. A message that the policy refuses is a 200 too, with `fail_count` 1 and the reason
 * among its errors: only `message` says that it was taken.
 */
export interface InjectionReply {
	status: 200 | 401 | 500;
	message?: Queued;
	reason?: string;
}

interface AuthInfo {
	identities: { identity: string; context: string }[];
	groups: string[];
}

/** Injection over HTTP as KumoMTA's server does it: who the peer is, then the Basic user, then the message's event. */
export function inject(policy: Policy, injection: Injection): InjectionReply {
	const [listener] = policy.configured('start_http_listener');
	const info: AuthInfo = { identities: [], groups: [] };
	if (isInside(injection.peer, (listener?.trusted_hosts ?? []) as string[]))
		info.groups.push('kumomta:http-listener-trusted-ip');
	if (injection.basic?.isTakenAsRight) {
		info.identities.push({ identity: injection.basic.user.toLowerCase(), context: 'HttpBasicAuth' });
	} else if (injection.basic !== undefined) {
		const refusal = authenticate(policy, injection.basic, info);
		if (refusal !== null) return refusal;
	} else if (info.groups.length === 0) return { status: 401, reason: 'denied' };
	const { sender, recipient, headers, peer } = injection;
	const message = policy.newMessage({
		sender,
		recipients: [recipient],
		headers,
		meta: { reception_protocol: 'HTTP', received_from: peer, http_auth: injection.basic?.user ?? peer }
	});
	const outcome = policy.call(
		'http_message_generated',
		{ kind: 'message', value: message },
		{ kind: 'data', value: info }
	);
	if (outcome.kind === 'value') return { status: 200, message: queued(policy, message, recipient) };
	const reason = outcome.kind === 'failed' ? outcome.error : `${outcome.rejection.code} ${outcome.rejection.text}`;
	return { status: 200, reason };
}

/** KumoMTA keeps what a credential got, a refusal or a failure too. */
const keptSeconds = 60;
const kept = new WeakMap<Policy, Map<string, { outcome: Outcome; until: number }>>();

function validated(policy: Policy, user: string, password: string | undefined): Outcome {
	const answers = kept.get(policy) ?? new Map<string, { outcome: Outcome; until: number }>();
	kept.set(policy, answers);
	const key = JSON.stringify([user, password ?? null]);
	const known = answers.get(key);
	if (known !== undefined && known.until > policy.clock.seconds) return known.outcome;
	const outcome = policy.call(
		'http_server_validate_auth_basic',
		{ kind: 'text', value: user },
		password === undefined ? { kind: 'none' } : { kind: 'text', value: password }
	);
	answers.set(key, { outcome, until: policy.clock.seconds + keptSeconds });
	return outcome;
}

function authenticate(
	policy: Policy,
	{ user, password }: NonNullable<Injection['basic']>,
	info: AuthInfo
): InjectionReply | null {
	const outcome = validated(policy, user, password);
	// KumoMTA takes nil for a failure of the policy.
	if (outcome.kind !== 'value' || outcome.value === undefined || outcome.value === null)
		return { status: 500, reason: outcome.kind === 'failed' ? outcome.error : 'try again later' };
	if (outcome.value === false) return { status: 401, reason: 'Authentication Failed' };
	if (outcome.value === true) info.identities.push({ identity: user, context: 'HttpBasicAuth' });
	else {
		const answered = outcome.value as Partial<AuthInfo>;
		info.identities.push(...(answered.identities ?? []));
		info.groups.push(...(answered.groups ?? []));
	}
	return null;
}
