import type { Header } from './host.ts';
import type { Argument, MessageView, Outcome, Policy } from './vm.ts';

export interface Reply {
	code: number;
	text: string;
	/** Set where KumoMTA answers "technical difficulties": the Lua error behind it. */
	error?: string;
}

/** One queued message of a transaction. */
export interface Queued extends MessageView {
	recipient: string;
	/** `campaign:tenant@domain`, or the meta `queue`. */
	queue: string;
}

export interface DataReply extends Reply {
	messages: Queued[];
}

export type ReplyOf = (outcome: Outcome, good: Reply) => Reply;

interface AuthInfo {
	identities?: { identity: string; context: string }[];
}

const metaNames: Record<string, string> = {
	SmtpAuthPlainAuthorization: 'authz_id',
	SmtpAuthPlainAuthentication: 'authn_id'
};

/** The domain of an envelope address; empty for the null sender and a bare postmaster. */
export const domainOf = (address: string) => (address.includes('@') ? address.slice(address.lastIndexOf('@') + 1) : '');

/** KumoMTA's name of the scheduled queue: `campaign:tenant@domain`. */
export function queueNameOf(meta: Record<string, unknown>, recipient: string): string {
	if (typeof meta.queue === 'string') return meta.queue;
	const tenant = typeof meta.tenant === 'string' ? `${meta.tenant}@` : '';
	const campaign = typeof meta.campaign === 'string' ? `${meta.campaign}:` : '';
	return `${campaign}${campaign !== '' && tenant === '' ? '@' : ''}${tenant}${domainOf(recipient)}`;
}

/** AUTH PLAIN (RFC 4616): without an authorization identity it is the authentication identity. */
export function authenticate(
	policy: Policy,
	connection: number,
	{ user, password, authorizeAs }: { user: string; password: string; authorizeAs: string },
	replyOf: ReplyOf
): Reply {
	const welcome = { code: 235, text: '2.7.0 AUTH OK!' };
	const outcome = policy.call(
		'smtp_server_auth_plain',
		{ kind: 'text', value: authorizeAs === '' ? user : authorizeAs },
		{ kind: 'text', value: user },
		{ kind: 'text', value: password },
		{ kind: 'connection', value: connection }
	);
	if (outcome.kind !== 'value') return replyOf(outcome, welcome);
	if (outcome.value === false) return { code: 535, text: '5.7.8 AUTH invalid' };
	const { identities = [] } = (outcome.value ?? {}) as AuthInfo;
	if (identities.length === 0) return replyOf({ kind: 'failed', error: 'AUTH answered no identities' }, welcome);
	for (const { identity, context } of identities) {
		const name = metaNames[context];
		if (name !== undefined) policy.setConnectionMeta(connection, name, identity);
	}
	return welcome;
}

interface Transaction {
	connection: number;
	sender: string;
	recipients: readonly string[];
	headers: readonly Header[];
}

/** `smtp_server_data` once, then one message per recipient; a refusal of one refuses all. */
export function deliver(policy: Policy, transaction: Transaction, replyOf: ReplyOf): DataReply {
	const { connection, sender, recipients, headers } = transaction;
	const self: Argument = { kind: 'connection', value: connection };
	const base = policy.newMessage({ sender, recipients, headers, meta: policy.connectionMeta(connection) });
	const good = { code: 250, text: 'OK' };
	const taken = policy.call('smtp_server_data', { kind: 'message', value: base }, self);
	if (taken.kind !== 'value') return { ...replyOf(taken, good), messages: [] };
	const messages: Queued[] = [];
	for (const recipient of recipients) {
		const message = policy.splitMessage(base, recipient);
		const outcome = policy.call('smtp_server_message_received', { kind: 'message', value: message }, self);
		if (outcome.kind !== 'value') return { ...replyOf(outcome, good), messages: [] };
		messages.push(queued(policy, message, recipient));
	}
	return { ...good, messages };
}

export function queued(policy: Policy, message: number, recipient: string): Queued {
	const view = policy.viewMessage(message);
	return { ...view, recipient, queue: queueNameOf(view.meta, recipient) };
}
