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

/** The domain of an envelope address; empty for the null sender and a bare postmaster. */
export const domainOf = (address: string) => (address.includes('@') ? address.slice(address.lastIndexOf('@') + 1) : '');

/** KumoMTA's name of the scheduled queue: `campaign:tenant@domain!routing domain`, the domain in lower case. */
export function queueNameOf(meta: Record<string, unknown>, recipient: string): string {
	if (typeof meta.queue === 'string') return meta.queue;
	const tenant = typeof meta.tenant === 'string' ? `${meta.tenant}@` : '';
	const campaign = typeof meta.campaign === 'string' ? `${meta.campaign}:` : '';
	const route = typeof meta.routing_domain === 'string' ? `!${meta.routing_domain}` : '';
	return `${campaign}${campaign !== '' && tenant === '' ? '@' : ''}${tenant}${domainOf(recipient).toLowerCase()}${route}`;
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
	if (outcome.value === false || !policy.events().smtp_server_auth_plain)
		return { code: 535, text: '5.7.8 AUTH invalid' };
	const ids = outcome.value === true ? { authz_id: authorizeAs || user, authn_id: user } : identitiesOf(outcome.value);
	if (ids === null) return replyOf({ kind: 'failed', error: 'AUTH answered no identities' }, welcome);
	for (const [name, identity] of Object.entries(ids)) policy.setConnectionMeta(connection, name, identity);
	return welcome;
}

/** KumoMTA fills in what an AuthInfo does not name: who authenticated, and then as whom. */
function identitiesOf(value: unknown): Record<'authz_id' | 'authn_id', string> | null {
	const given = (value as AuthInfo | undefined)?.identities;
	// An empty Lua table may come as an object.
	const identities = Array.isArray(given) ? given : [];
	const named = (context: string) => identities.findLast((each) => each.context === context)?.identity;
	const authn = named('SmtpAuthPlainAuthentication') ?? identities[0]?.identity;
	if (authn === undefined) return null;
	return { authn_id: authn, authz_id: named('SmtpAuthPlainAuthorization') ?? authn };
}

interface Transaction {
	connection: number;
	sender: string;
	recipients: readonly string[];
	headers: readonly Header[];
	/** KumoMTA asks again when the message is there. */
	mayRelay: (sender: string, recipient: string) => boolean;
}

/** `smtp_server_data` once, then one message per recipient; a refusal of one refuses all. */
export function deliver(policy: Policy, transaction: Transaction, replyOf: ReplyOf): DataReply {
	const { connection, sender, recipients, headers, mayRelay } = transaction;
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
	const kept = messages.filter(({ queue, recipient }) => queue === 'null' || mayRelay(sender, recipient));
	return kept.length === 0 ? { ...notRelayed(), messages: [] } : { ...good, messages: kept };
}

/** @param peer known at RCPT: KumoMTA names the client there, not at DATA. */
export const notRelayed = (peer?: string): Reply => ({
	code: 550,
	text: `5.7.1 relaying not permitted${peer === undefined ? '' : ` for ${peer}`}`
});

export function queued(policy: Policy, message: number, recipient: string): Queued {
	const view = policy.viewMessage(message);
	return { ...view, recipient, queue: view.queue ?? queueNameOf(view.meta, recipient) };
}
