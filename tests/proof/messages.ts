import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import { domainName } from '../support/estate.ts';
import { campaignHeader, passwordOf } from './estate.ts';
import type { Arrival, Arriving, Login } from './message.ts';
import type { Random } from './random.ts';

type Sender = PolicyInput['senders'][number];

/** Another domain's name, near enough to be mistaken, or none of ours. */
const foreign = (random: Random, input: PolicyInput) =>
	random.pick([domainName(random.below(input.domains.length)), 'elsewhere.example.net', 'xd00001.example']);

const mixedCase = (text: string) =>
	text.replace(/[a-z]/g, (letter, at: number) => (at % 2 ? letter : letter.toUpperCase()));

/** One message; right in most of its parts, so that every rule is the one that decides now and then. */
export function randomMessage(random: Random, input: PolicyInput): Arriving {
	const sender = senderOf(random, input);
	const kind = random.pick(['submission', 'submission', 'relay', 'inbound', 'inbound', 'http', 'http user'] as const);
	if (kind === 'inbound') return inboundMessage(random, input);
	return {
		arrival: arrivalOf(random, kind, sender),
		mailFrom: mailFromOf(random, input, sender),
		recipients:
			kind === 'http' || kind === 'http user' || random.chance(70)
				? ['someone@example.net']
				: ['someone@example.net', 'b.c@example.org', 'x@y.example'],
		headers: [
			...fromOf(random, input, sender),
			['Subject', 'Hello'],
			...(random.chance(30) ? [[campaignHeader, campaignOf(random)] as [string, string]] : [])
		]
	};
}

/** Those with a rule of their own come up more often than they are. */
function senderOf(random: Random, { senders }: PolicyInput): Sender {
	const special = random.pick([
		undefined,
		undefined,
		({ fromPolicy }: Sender) => fromPolicy === 'domain',
		({ limit, maxAgeSeconds }: Sender) => limit !== null && maxAgeSeconds !== null,
		({ verifier }: Sender) => verifier?.iterations === 4096
	]);
	const start = random.below(senders.length);
	const later = special === undefined ? undefined : senders.slice(start, start + 2000).find(special);
	return later ?? (senders[start] as Sender);
}

function arrivalOf(random: Random, kind: 'submission' | 'relay' | 'http' | 'http user', sender: Sender): Arrival {
	const peer = `203.0.113.${random.below(250) + 1}`;
	if (kind === 'http') return { via: 'http', peer: random.chance(80) ? '127.0.0.1' : peer };
	if (kind === 'http user') {
		const { user, password } = loginOf(random, sender);
		return { via: 'http', peer, basic: { user, password } };
	}
	if (kind === 'relay') {
		const trusted = random.chance(85) ? `198.51.100.${random.below(16)}` : random.pick([peer, '198.51.100.16']);
		return { via: 'smtp', listener: kind, peer: trusted, logins: random.chance(95) ? [] : [rightLogin(sender)] };
	}
	const tries = random.pick([0, 1, 1, 1, 1, 1, 1, 2, 3]);
	const logins = Array.from({ length: tries }, () => loginOf(random, sender));
	return { via: 'smtp', listener: kind, peer, logins };
}

const rightLogin = ({ address }: Sender): Login => ({ user: address, password: passwordOf(address), authorizeAs: '' });

function loginOf(random: Random, sender: Sender): Login {
	const right = rightLogin(sender);
	if (random.chance(75)) return { ...right, authorizeAs: random.pick(['', '', sender.address]) };
	return random.pick([
		{ ...right, password: `${right.password}x` },
		{ ...right, password: '' },
		{ ...right, user: '' },
		{ ...right, user: 'nobody@nowhere.example' },
		{ ...right, user: sender.tenant },
		{ ...right, authorizeAs: 'postmaster@example.com' },
		{ ...right, authorizeAs: sender.tenant }
	]);
}

function mailFromOf(random: Random, input: PolicyInput, { address }: Sender): string {
	const [local = '', domain = ''] = address.split('@');
	const bounce = `bounce.${domain}`;
	if (random.chance(70))
		return random.pick([
			address,
			address,
			`${local}+tag@${domain}`,
			`${local}@${mixedCase(domain)}`,
			`replies@${bounce}`
		]);
	return random.pick([
		'',
		`v=1-a=b@${bounce}`,
		`replies+7@${bounce}`,
		`postmaster@${bounce}`,
		`anything@${domain}`,
		`${local}@${foreign(random, input)}`,
		`replies@bounce.${foreign(random, input)}`,
		`${local}@sub.${domain}`
	]);
}

function fromOf(random: Random, input: PolicyInput, { address }: Sender): [string, string][] {
	const [local = '', domain = ''] = address.split('@');
	const value = (text: string): [string, string][] => [['From', text]];
	if (random.chance(70))
		return value(random.pick([address, `Some One <${address}>`, `"Last, First" <${address}>`, mixedCase(address)]));
	return random.pick<[string, string][]>([
		[],
		value(`info@${domain}`),
		value(`News <news@${domain.toUpperCase()}>`),
		value(`${local}@${foreign(random, input)}`),
		value(`${local}@sub.${domain}`),
		value(`${address}, other@${domain}`),
		value(`Team: ${address};`),
		value(`"${local}"@${domain}`),
		value(`"quoted local"@${domain}`),
		[...value(address), ...value(`other@${domain}`)],
		value('not an address')
	]);
}

function campaignOf(random: Random): string {
	return random.pick([
		'spring-2027',
		'A.b_c-9',
		'x'.repeat(64),
		'x'.repeat(65),
		'a b',
		'a:b',
		'a@b',
		'-a',
		'',
		"'; --"
	]);
}

const reports = ['delivery-status', 'feedback-report'];

function inboundMessage(random: Random, input: PolicyInput): Arriving {
	const recipient = () => {
		const host = `bounce.${domainName(random.below(input.domains.length))}`;
		const local = random.pick([
			'replies',
			'replies',
			'replies+42',
			'postmaster',
			'abuse',
			'fbl',
			'fbl+1',
			'v=9-x=y',
			'nobody'
		]);
		const domain = random.chance(90) ? host : random.pick([host.replace('bounce.', ''), 'example.net']);
		return `${local}@${random.chance(80) ? domain : mixedCase(domain)}`;
	};
	const type = random.chance(50) ? `multipart/report; report-type=${random.pick(reports)}; boundary="b"` : 'text/plain';
	return {
		arrival: {
			via: 'smtp',
			listener: 'inbound',
			peer: `203.0.113.${random.below(250) + 1}`,
			logins: random.chance(95) ? [] : [rightLogin(random.pick(input.senders))]
		},
		mailFrom: random.pick(['', 'mailer-daemon@example.net', random.pick(input.senders).address]),
		recipients: random.chance(75) ? [recipient()] : [recipient(), recipient()],
		headers: [
			['From', 'Mail Delivery <mailer-daemon@example.net>'],
			['Content-Type', type]
		]
	};
}
