import { isInside } from './network.ts';
import { authenticate, deliver, domainOf, notRelayed } from './transaction.ts';
import type { Header } from './host.ts';
import type { DataReply, Reply } from './transaction.ts';
import type { Argument, Outcome, Policy } from './vm.ts';

export interface Session {
	greeting: Reply;
	isOpen: () => boolean;
	meta: () => Record<string, unknown>;
	/** AUTH PLAIN (RFC 4616). */
	auth: (user: string, password: string, authorizeAs?: string) => Reply;
	/** What KumoMTA notes after a login that nobody checked here. */
	assumeLogin: (identities: Record<'authn_id' | 'authz_id', string>) => void;
	mailFrom: (address: string) => Reply;
	rcptTo: (address: string) => Reply;
	/** After DATA the transaction is over, whatever was answered. */
	data: (headers: readonly Header[]) => DataReply;
	reset: () => void;
}

export interface SessionOptions {
	/** A listener's `address:port`, or its purpose. */
	listener: string;
	peer: string;
	/** Overrides what the listener's meta says, null removes it: for listeners of an older revision. */
	purpose?: string | null;
}

/** What `get_listener_domain` answers. */
interface Domain {
	relay_to?: boolean;
	relay_from?: string[];
	log_oob?: string;
	log_arf?: string;
}

const ok: Reply = { code: 250, text: 'OK' };

function listenerFor(policy: Policy, { listener }: SessionOptions) {
	const found = policy
		.configured('start_esmtp_listener')
		.find((params) => params.listen === listener || (params.meta as { x_purpose?: string }).x_purpose === listener);
	if (found === undefined) throw new Error(`The revision has no listener ${listener}. Start it first.`);
	return found;
}

const socketOf = (peer: string) => `${peer.includes(':') ? `[${peer}]` : peer}:40000`;

function metaFor(params: Record<string, unknown>, { peer, purpose }: SessionOptions): Record<string, unknown> {
	const meta: Record<string, unknown> = {
		reception_protocol: 'ESMTP',
		received_via: params.listen,
		received_from: socketOf(peer),
		hostname: params.hostname,
		...(params.meta as Record<string, unknown>)
	};
	if (purpose !== undefined) meta.x_purpose = purpose ?? undefined;
	return Object.fromEntries(Object.entries(meta).filter(([, value]) => value !== undefined));
}

/** Runs `pre_init` and `init`, so that the listeners are known. @throws Error with what KumoMTA would print */
export function start(policy: Policy): void {
	for (const event of ['pre_init', 'init']) {
		const outcome = policy.call(event);
		if (outcome.kind !== 'value') throw new Error(outcome.kind === 'failed' ? outcome.error : outcome.rejection.text);
	}
}

/** A callback of KumoMTA's own that did not answer: the connection ends. */
class Difficulties extends Error {}

/** Answers of get_listener_domain that a connection keeps. */
const keptDomains = 17;

/** KumoMTA's rule for RCPT. Answers are kept per connection in the client's letter case and not asked again after AUTH. */
function createRelayRule(policy: Policy, connection: number, params: Record<string, unknown>, peer: string) {
	const domains = new Map<string, Domain | null>();
	function lookUp(name: string): Domain | null {
		const known = domains.get(name);
		if (known !== undefined) return known;
		const outcome = policy.call(
			'get_listener_domain',
			{ kind: 'text', value: name },
			{ kind: 'text', value: String(params.listen) },
			{ kind: 'connection', value: connection }
		);
		// A rejection has no meaning here.
		if (outcome.kind !== 'value' || (outcome.value && typeof outcome.value !== 'object'))
			throw new Difficulties(`get_listener_domain: ${JSON.stringify(outcome)}`);
		const domain = outcome.value ?? null;
		const [oldest] = domains.keys();
		if (domains.size >= keptDomains && oldest !== undefined) domains.delete(oldest);
		domains.set(name, domain);
		return domain;
	}
	return (sender: string, recipient: string): boolean => {
		const from = lookUp(domainOf(sender));
		const to = lookUp(domainOf(recipient));
		const takesReports = [to?.log_oob, to?.log_arf].some((value) => value !== undefined && value !== 'Ignore');
		return (
			isInside(peer, params.relay_hosts as string[]) ||
			isInside(peer, from?.relay_from ?? []) ||
			to?.relay_to === true ||
			takesReports
		);
	};
}

/** An SMTP conversation after STARTTLS, as KumoMTA's server holds it. Call `start` before. */
export function openSession(policy: Policy, options: SessionOptions): Session {
	const params = listenerFor(policy, options);
	const connection = policy.newConnection(metaFor(params, options));
	const self: Argument = { kind: 'connection', value: connection };
	const mayRelay = createRelayRule(policy, connection, params, options.peer);
	let isOpen = true;
	let transaction: { sender: string; recipients: string[] } | null = null;

	function replyOf(outcome: Outcome, good: Reply): Reply {
		if (outcome.kind === 'value') return good;
		if (outcome.kind === 'failed') {
			isOpen = false;
			return { code: 421, text: `4.3.0 ${String(params.hostname)} technical difficulties`, error: outcome.error };
		}
		const { code, text, disconnect } = outcome.rejection;
		if (code === 421 || disconnect === 'ForceDisconnect') isOpen = false;
		return { code, text };
	}
	function demandOpen(): void {
		if (!isOpen) throw new Error('The server has closed this connection.');
	}
	function guarded<R extends Reply>(run: () => R): R | Reply {
		try {
			return run();
		} catch (error) {
			if (!(error instanceof Difficulties)) throw error;
			return replyOf({ kind: 'failed', error: error.message }, ok);
		}
	}
	function command(event: string, address: string, onSuccess: () => void): Reply {
		const outcome = policy.call(event, { kind: 'address', value: address }, self);
		if (outcome.kind === 'value') onSuccess();
		return replyOf(outcome, ok);
	}
	return {
		greeting: replyOf(policy.call('smtp_server_connection_accepted', self), {
			code: 220,
			text: `${String(params.hostname)} KumoMTA`
		}),
		isOpen: () => isOpen,
		meta: () => policy.connectionMeta(connection),
		auth: (user, password, authorizeAs = '') => {
			demandOpen();
			return authenticate(policy, connection, { user, password, authorizeAs }, replyOf);
		},
		assumeLogin: (identities) => {
			for (const [name, identity] of Object.entries(identities)) policy.setConnectionMeta(connection, name, identity);
		},
		mailFrom: (address) => {
			demandOpen();
			if (transaction !== null) return { code: 503, text: '5.5.0 MAIL FROM already issued; you must RSET first' };
			return command('smtp_server_mail_from', address, () => (transaction = { sender: address, recipients: [] }));
		},
		rcptTo: (address) => {
			demandOpen();
			const open = transaction;
			if (open === null) return { code: 503, text: '5.5.0 MAIL FROM must be issued first' };
			return guarded(() =>
				mayRelay(open.sender, address)
					? command('smtp_server_rcpt_to', address, () => open.recipients.push(address))
					: notRelayed(socketOf(options.peer))
			);
		},
		data: (headers) => {
			demandOpen();
			const open = transaction;
			if (open === null) return { code: 503, text: '5.5.0 MAIL FROM must be issued first', messages: [] };
			if (open.recipients.length === 0) return { code: 503, text: '5.5.0 RCPT TO must be issued first', messages: [] };
			transaction = null;
			return { messages: [], ...guarded(() => deliver(policy, { ...open, connection, headers, mayRelay }, replyOf)) };
		},
		reset: () => {
			transaction = null;
		}
	};
}
