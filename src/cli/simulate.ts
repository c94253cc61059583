import { exit, UsageError } from './command.ts';
import type { Command, Exit, Invocation } from './command.ts';

/** `kumomta-ui policy simulate`: what KumoMTA would do with a message, before anything is sent. */
export const simulate: Command = {
	help: 'What would happen to a message, step by step. Exit code 3 when a recipient is refused. Sends nothing.',
	takes: [],
	options: {
		listener: { type: 'string', value: 'name', help: 'submission (default), relay, inbound, or one address:port.' },
		http: { type: 'boolean', help: 'Over KumoMTA’s HTTP API instead of SMTP.' },
		client: { type: 'string', value: 'ip', help: 'The client’s address; 127.0.0.1 unless told.' },
		as: { type: 'string', value: 'sender', help: 'Logged in as this sender; its password is taken as right.' },
		'mail-from': {
			type: 'string',
			value: 'address',
			help: 'MAIL FROM; empty for the null sender. Default: the sender.'
		},
		to: { type: 'string', multiple: true, value: 'address', help: 'A recipient; may be given more than once.' },
		from: { type: 'string', value: 'address', help: 'The From header. Default: the sender.' },
		header: { type: 'string', multiple: true, value: 'name: value', help: 'One more header.' },
		revision: { type: 'string', value: 'number', help: 'By this revision instead of what an apply would make now.' },
		json: { type: 'boolean', help: 'As JSON.' }
	},
	run
};

async function run({ api, options, print }: Invocation): Promise<Exit> {
	const answer = await api.policy.simulate(messageOf(options));
	if (options['json'] === true) print(JSON.stringify(answer));
	else for (const line of inWords(answer)) print(line);
	return answer.verdict === 'accepted' ? exit.ok : exit.checkFailed;
}

type Input = Parameters<Invocation['api']['policy']['simulate']>[0];
type Answer = Awaited<ReturnType<Invocation['api']['policy']['simulate']>>;

function messageOf(options: Invocation['options']): Input {
	const text = (name: string) => (typeof options[name] === 'string' ? options[name] : undefined);
	const list = (name: string) => (Array.isArray(options[name]) ? options[name].map(String) : []);
	const sender = text('as');
	const from = text('from') ?? sender;
	if (list('to').length === 0) throw new UsageError('Name a recipient with --to.');
	const clientAddress = text('client') ?? '127.0.0.1';
	const login = sender === undefined ? {} : { authenticatedAs: sender };
	const revision = text('revision');
	return {
		arrival:
			options['http'] === true
				? { via: 'http', clientAddress, ...login }
				: { via: 'smtp', listener: text('listener') ?? 'submission', clientAddress, ...login },
		mailFrom: text('mail-from') ?? sender ?? '',
		recipients: list('to'),
		headers: [...(from === undefined ? [] : [{ name: 'From', value: from }]), ...list('header').map(headerOf)],
		...(revision === undefined ? {} : { revision: Number(revision) })
	};
}

function headerOf(line: string) {
	const colon = line.indexOf(':');
	if (colon < 1) throw new UsageError('Write --header as "name: value".');
	return { name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() };
}

const marks = { passed: 'ok     ', refused: 'REFUSED', noted: '       ' };

function* inWords({ revision, hash, verdict, trail, recipients, unknowns }: Answer): Generator<string> {
	yield `${revision === null ? 'What an apply would make now' : `Revision ${revision}`} (${hash.slice(0, 12)}): ${verdict}.`;
	for (const { stage, subject, outcome, rule, text, reply } of trail) {
		const about = subject === undefined ? '' : ` ${subject}:`;
		const said = reply === undefined ? '' : ` [${reply.code} ${reply.text}]`;
		yield `${marks[outcome]} ${stage.padEnd(10)}${about} ${text}${said}${outcome === 'refused' ? ` (${rule})` : ''}`;
	}
	for (const { recipient, message } of recipients) if (message) yield* details(recipient, message);
	yield 'Not known here:';
	for (const { text } of unknowns) yield `  ${text}`;
}

function* details(recipient: string, message: NonNullable<Answer['recipients'][number]['message']>): Generator<string> {
	yield `${recipient}:`;
	for (const { name, address, ehloDomain, share, pathLimits } of message.sources) {
		yield `  source ${name}: ${address ?? 'any address'}, EHLO ${ehloDomain ?? 'of the host'}, ${Math.round(share * 100)} %`;
		for (const { name: limit, limit: most } of pathLimits ?? []) yield `    ${limit} ${most}`;
	}
	for (const { domain, selector, algorithm, headers } of message.signatures)
		yield `  signed by ${selector}._domainkey.${domain} (${algorithm}): ${headers.join(', ')}`;
	for (const { scope, limit } of message.rates) yield `  ${scope} limit ${limit}`;
	if (message.retry !== null)
		yield `  tries after ${message.retry.attemptsAfter.join(', ')} s; given up after ${message.retry.maxAgeSeconds} s`;
}
