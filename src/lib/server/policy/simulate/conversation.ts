import { unreadListsLabel } from '../../core/suppression-format.ts';
import { inject } from '../lua/injection.ts';
import { openSession } from '../lua/session.ts';
import type { Session } from '../lua/session.ts';
import type { Queued, Reply } from '../lua/transaction.ts';
import type { SimulatedMessage, SimulatedStep, Simulation } from './inputs.ts';
import { followMessage } from './message.ts';
import type { Opened } from './message.ts';
import { ruleOf } from './rules.ts';
import { unknownsOf } from './unknowns.ts';

type Recipient = Simulation['recipients'][number];
type Stage = SimulatedStep['stage'];

/** The revision has no such listener, or its client would not be let in by its address family. */
export class NoListener extends Error {
	override name = 'NoListener';
}

const clean = ({ code, text }: Reply) => ({ code, text });
const isGood = ({ code }: Reply) => code < 400;

/** Plays one message to the revision's program and writes down what it answered, step by step. */
export function converse(opened: Opened, message: SimulatedMessage): Simulation {
	const trail: SimulatedStep[] = [];
	function told(stage: Stage, reply: Reply, passed: string, subject?: string): boolean {
		const isPassed = isGood(reply);
		trail.push({
			stage,
			...(subject === undefined ? {} : { subject }),
			outcome: isPassed ? 'passed' : 'refused',
			rule: isPassed ? 'passed' : ruleOf(reply),
			text: isPassed
				? passed
				: reply.error === undefined
					? 'Refused by this reply.'
					: 'The policy failed: KumoMTA answers this.',
			reply: clean(reply)
		});
		return isPassed;
	}
	// What one simulation counted is nothing to the next: no throttle of the program looks back further than an hour.
	opened.policy.clock.seconds += 3601;
	const unreadBefore = unreadLists(opened);
	const recipients =
		message.arrival.via === 'http' ? overHttp(opened, message, told) : overSmtp(opened, message, { trail, told });
	const answers = recipients.map(({ queued, ...each }): Recipient => {
		if (queued === undefined) return each;
		const followed = followMessage(opened, queued, message.mailFrom);
		trail.push(...followed.trail);
		return { ...each, message: followed.message };
	});
	const accepted = answers.filter((each) => each.accepted).length;
	return {
		engine: 'double',
		verdict: accepted === 0 ? 'refused' : accepted === answers.length ? 'accepted' : 'partly',
		trail,
		recipients: answers,
		unknowns: unknownsOf(message, answers, unreadLists(opened) > unreadBefore)
	};
}

/** How often the program wanted the suppression lists and could not read them. */
const unreadLists = ({ policy }: Opened) => policy.observed().timed[unreadListsLabel] ?? 0;

type Told = (stage: Stage, reply: Reply, passed: string, subject?: string) => boolean;
type Answered = Omit<Recipient, 'message'> & { queued?: Queued };

const refusedBy = (recipient: string, reply: Reply): Answered => ({
	recipient,
	accepted: false,
	reply: clean(reply),
	rule: ruleOf(reply)
});

function overSmtp(
	opened: Opened,
	message: SimulatedMessage,
	{ trail, told }: { trail: SimulatedStep[]; told: Told }
): Answered[] {
	const { arrival, mailFrom, recipients, headers } = message;
	if (arrival.via !== 'smtp') throw new Error('This message does not arrive by SMTP.');
	const session = open(opened, arrival.listener, arrival.clientAddress);
	const all = (reply: Reply) => recipients.map((each) => refusedBy(each, reply));
	const listener = `The ${String(session.meta().x_purpose)} listener ${String(session.meta().received_via)}`;
	if (!told('connection', session.greeting, `${listener} takes the connection from ${arrival.clientAddress}.`))
		return all(session.greeting);
	if (arrival.authenticatedAs !== undefined) {
		const reply = logIn(opened, session, arrival.authenticatedAs);
		const passed = `${arrival.authenticatedAs} is logged in; its password is taken as right.`;
		if (!told('auth', reply, passed)) return all(reply);
	} else trail.push({ stage: 'auth', outcome: 'noted', rule: 'no-login', text: 'Nobody logs in.' });
	const from = session.mailFrom(mailFrom);
	if (!told('mail-from', from, mailFrom === '' ? 'The null sender is taken.' : `MAIL FROM ${mailFrom} is taken.`))
		return all(from);
	const replies = recipients.map((recipient) => {
		const reply = session.isOpen() ? session.rcptTo(recipient) : { code: 421, text: 'the connection is closed' };
		told('rcpt-to', reply, 'The recipient is taken.', recipient);
		return { recipient, reply };
	});
	const taken = replies.filter(({ reply }) => isGood(reply));
	if (taken.length === 0 || !session.isOpen())
		return replies.map(({ recipient, reply }) => refusedBy(recipient, reply));
	const data = session.data(headers.map(({ name, value }) => [name, value]));
	told('data', data, 'The message is taken.');
	return replies.map(({ recipient, reply }) => {
		if (!isGood(reply)) return refusedBy(recipient, reply);
		const queued = data.messages.find((each) => each.recipient === recipient);
		if (isGood(data) && queued !== undefined)
			return { recipient, accepted: true, reply: clean(data), rule: 'accepted', queued };
		return refusedBy(recipient, isGood(data) ? { code: 550, text: '5.7.1 relaying not permitted' } : data);
	});
}

function open({ policy }: Opened, listener: string, peer: string): Session {
	const isThere = policy
		.configured('start_esmtp_listener')
		.some((each) => each.listen === listener || (each.meta as { x_purpose?: string }).x_purpose === listener);
	if (!isThere) throw new NoListener(listener);
	return openSession(policy, { listener, peer });
}

/**
 * The program's own login runs with a password that nothing has: its other refusals are real. Where only the password
 * stood in the way, the connection is given what KumoMTA notes after a right one.
 */
function logIn({ lookUp }: Opened, session: Session, user: string): Reply {
	const reply = session.auth(user, '\u0000');
	if (reply.code !== 535) return reply;
	const name = user.toLowerCase();
	const sender = lookUp('sender', name);
	if (sender === undefined || sender.hash === undefined) return reply;
	session.assumeLogin({ authn_id: name, authz_id: String(sender.tenant) });
	return { code: 235, text: '2.7.0 AUTH OK!' };
}

function overHttp(opened: Opened, message: SimulatedMessage, told: Told): Answered[] {
	const { arrival, mailFrom, recipients, headers } = message;
	const { authenticatedAs: user, clientAddress: peer } = arrival;
	const sender = user === undefined ? undefined : opened.lookUp('sender', user.toLowerCase());
	if (user !== undefined && sender?.hash === undefined) {
		const reply = { code: 401, text: 'Authentication Failed' };
		told('auth', reply, '');
		return recipients.map((each) => refusedBy(each, reply));
	}
	return recipients.map((recipient): Answered => {
		const {
			status,
			message: queued,
			reason
		} = inject(opened.policy, {
			peer,
			...(user === undefined ? {} : { basic: { user, isTakenAsRight: true } }),
			sender: mailFrom,
			recipient,
			headers: headers.map(({ name, value }) => [name, value])
		});
		const reply = queued === undefined ? replyIn(status, reason ?? '') : { code: 200, text: 'OK' };
		const who = user === undefined ? `the trusted address ${peer}` : `${user}, whose password is taken as right`;
		told('data', reply, `KumoMTA’s HTTP API takes the message from ${who}.`, recipient);
		if (queued === undefined) return refusedBy(recipient, reply);
		return { recipient, accepted: true, reply, rule: 'accepted', queued };
	});
}

/** A refusal of the policy stands in an answer of status 200, as `550 5.7.1 …`. */
function replyIn(status: number, reason: string): Reply {
	const [, code, text = ''] = /^([45]\d\d) (.*)$/s.exec(reason) ?? [];
	if (code !== undefined) return { code: Number(code), text };
	return status === 200
		? { code: 421, text: '4.3.0 technical difficulties', error: reason }
		: { code: status, text: reason };
}
