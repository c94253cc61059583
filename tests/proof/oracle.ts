import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import type { Arriving, Delivery, Expectation, Login } from './message.ts';
import { mayUseReturnPath, openEstate } from './oracle-estate.ts';
import type { Estate } from './oracle-estate.ts';

/**
 * What policy.md says about a message, written from its text over the panel's data. It shares nothing with program.lua:
 * where the two disagree, one of them is wrong.
 */
type Sender = PolicyInput['senders'][number];

const permanent = /^5\d\d /;
const anyRefusal = /^(?:4\d\d|5\d\d) /;

const refusal = (rule: string, reply: RegExp, refused: string[] = []): Expectation => ({
	refused,
	reply,
	deliveries: [],
	rule
});

export function createOracle(input: PolicyInput): (message: Arriving) => Expectation {
	const estate = openEstate(input);
	return (message) => {
		const { arrival } = message;
		if (arrival.via === 'http') return expectInjection(estate, message, arrival);
		if (arrival.listener === 'inbound') return expectInbound(estate, message, arrival.logins);
		return arrival.listener === 'submission'
			? expectSubmission(estate, message, arrival.logins)
			: expectRelay(estate, message, arrival);
	};
}

/** policy.md 4.3. @return the sender, or the expectation of a refusal. */
function logIn(estate: Estate, logins: Login[]): Sender | Expectation {
	let failures = 0;
	for (const { user, password, authorizeAs } of logins) {
		const sender = estate.senders.get(user);
		const isSelf = authorizeAs === '' || authorizeAs === user;
		if (sender !== undefined && isSelf && estate.isPassword(sender, password)) return sender;
		failures += 1;
		if (failures === 3) return refusal('auth third failure', /^421 /);
	}
	return refusal('auth refused', permanent);
}

/** policy.md 4.2 and 4.4. */
function expectSubmission(estate: Estate, message: Arriving, logins: Login[]): Expectation {
	if (logins.length === 0) return refusal('mail before auth', /^530 5\.7\.0 /);
	const sender = logIn(estate, logins);
	if ('reply' in sender) return sender;
	return expectOf(estate, message, sender, 'submission');
}

function expectRelay(
	estate: Estate,
	message: Arriving,
	{ peer, logins }: { peer: string; logins: Login[] }
): Expectation {
	if (logins.length > 0) return refusal('auth on relay', permanent);
	if (!estate.mayRelay(peer)) return refusal('unknown relay host', permanent);
	return expectFromHeader(estate, message, 'relay');
}

/** Relay hosts and trusted addresses: the From header picks the sender. */
function expectFromHeader(estate: Estate, message: Arriving, way: string): Expectation {
	const from = estate.authorOf(message.headers);
	if (from === null) return refusal(`${way}: From`, permanent);
	const sender = estate.senderForAuthor(from);
	if (sender === null) return refusal(`${way}: unknown sender`, message.mailFrom === '' ? permanent : /^550 5\.7\.1 /);
	return expectOf(estate, message, sender, way);
}

/** policy.md 4.8: Basic users like SMTP, trusted addresses like relay hosts, nobody else. */
function expectInjection(
	estate: Estate,
	message: Arriving,
	{ peer, basic }: { peer: string; basic?: { user: string; password: string } }
): Expectation {
	if (basic === undefined && peer !== '127.0.0.1') return refusal('http: untrusted', /^401 /);
	if (basic === undefined) return expectFromHeader(estate, message, 'http');
	const sender = logIn(estate, [{ ...basic, authorizeAs: '' }]);
	if ('reply' in sender) return refusal('http: auth refused', /^401 /);
	return expectOf(estate, message, sender, 'http user');
}

/** A known sender: its state, its return path, its From header, then its queue. */
function expectOf(estate: Estate, message: Arriving, sender: Sender, way: string): Expectation {
	const domain = estate.domains.get(sender.domainId);
	if (domain === undefined) throw new Error('A sender without a domain is no part of a proof.');
	const faults: [rule: string, reply: RegExp][] = [];
	if (sender.status === 'paused') faults.push(['paused', anyRefusal]);
	if (!estate.isReady(domain)) faults.push(['not ready', /^450 4\.7\.1 /]);
	if (!mayUseReturnPath(estate, sender, domain, message.mailFrom)) faults.push(['return path', permanent]);
	const from = estate.authorOf(message.headers);
	if (from === null || !estate.mayWriteAs(sender, domain, from)) faults.push(['From', permanent]);
	const [first, ...others] = faults;
	if (first !== undefined) {
		const rule = `${way}: ${faults.map(([name]) => name).join(' + ')}`;
		// Which of several faults a server finds first is its own affair.
		return refusal(rule, others.length === 0 ? first[1] : anyRefusal);
	}
	const deliveries = message.recipients.map((recipient) => outbound(estate, sender, recipient, message.headers));
	return { refused: [], reply: /^250 /, deliveries, rule: `${way}: accepted` };
}

/** policy.md 4.5 and 4.6. */
function outbound(estate: Estate, sender: Sender, recipient: string, headers: Arriving['headers']): Delivery {
	const campaign = estate.campaignOf(headers);
	const { pool, ehlo } = estate.poolOf(sender);
	const { limit } = sender;
	const unit = limit === null ? '' : { second: 's', minute: 'min', hour: 'h', day: 'd' }[limit.unit];
	return {
		recipient,
		queue: `${campaign === undefined ? '' : `${campaign}:`}${sender.tenant}@${recipient.split('@')[1]}`,
		tenant: sender.tenant,
		...(campaign === undefined ? {} : { campaign }),
		pool,
		ehlo,
		...(limit === null ? {} : { rate: `${limit.count}/${unit}` }),
		...(sender.maxAgeSeconds === null ? {} : { maxAge: sender.maxAgeSeconds }),
		hasCampaignHeader: false,
		signatures: estate.signaturesOf(sender.domainId)
	};
}

/** policy.md 4.7. */
function expectInbound(estate: Estate, { recipients, headers }: Arriving, logins: Login[]): Expectation {
	if (logins.length > 0) return refusal('auth on inbound', permanent);
	const kinds = recipients.map((recipient) => estate.inboundKind(recipient));
	const refused = recipients.filter((_, index) => kinds[index]?.kind === 'refused' || kinds[index] === null);
	const going = recipients.flatMap((recipient, index) => {
		const kind = kinds[index];
		return kind === null || kind === undefined || kind.kind === 'refused' ? [] : [{ recipient, kind }];
	});
	if (going.length === 0) return refusal('inbound: recipient', kinds[0] === null ? /^550 5\.7\.1 / : /^550 5\.1\.1 /);
	const isReport = estate.isReport(headers);
	if (!isReport && going.some(({ kind }) => kind.kind === 'reports'))
		return refusal('inbound: no report', /^550 /, refused);
	const deliveries = going.map(({ recipient, kind }): Delivery => {
		const common = { recipient, hasCampaignHeader: false, signatures: [] };
		return kind.kind === 'account'
			? { ...common, queue: `${kind.id}.mailbox.internal`, mailbox: kind.id }
			: { ...common, queue: 'null' };
	});
	return { refused, reply: /^250 /, deliveries, rule: `inbound: ${isReport ? 'report' : 'mail'} taken` };
}
