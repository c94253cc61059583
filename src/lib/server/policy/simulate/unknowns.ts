import type { SimulatedMessage, Simulation } from './inputs.ts';

const sentences = {
	engine:
		'The revision’s own program ran in the panel’s Lua, against a double of KumoMTA’s interfaces. KumoMTA itself did not see this message.',
	password: 'Whether the password is right: it is taken as right.',
	throttles: 'Limits of logins and rates depend on what was sent before: nothing counts here.',
	'path-limits':
		'Connection and message limits on the way out come from KumoMTA’s traffic shaping, which is not asked.',
	dns: 'DNS and the remote server: whether the destination has an MX, takes the message and over TLS.',
	'key-file': 'Whether KumoMTA can read the key files: an apply looks at each.',
	suppression: 'Whether a recipient is on a suppression list: the lists were not read, so nobody is refused.',
	body: 'The body is empty here: a report is recognised by its Content-Type alone.'
};

/** What the answer does not know, in words. */
export function unknownsOf(
	{ arrival }: SimulatedMessage,
	recipients: Simulation['recipients'],
	areListsUnread: boolean
): Simulation['unknowns'] {
	const messages = recipients.flatMap(({ message }) => message ?? []);
	const isOutbound = messages.some(({ kind }) => kind === 'outbound');
	const codes: (keyof typeof sentences)[] = [
		'engine',
		...(arrival.authenticatedAs === undefined ? [] : (['password'] as const)),
		'throttles',
		...(areListsUnread ? (['suppression'] as const) : []),
		...(isOutbound ? (['path-limits', 'dns'] as const) : []),
		...(messages.some(({ signatures }) => signatures.length > 0) ? (['key-file'] as const) : []),
		...(arrival.via === 'smtp' && arrival.listener === 'inbound' ? (['body'] as const) : [])
	];
	return codes.map((code) => ({ code, text: sentences[code] }));
}

type Unknown = Simulation['unknowns'][number];
const changed = (unknowns: Unknown[], texts: Record<string, string | undefined>): Unknown[] =>
	unknowns.flatMap(({ code, text }) => {
		const other = code in texts ? texts[code] : text;
		return other === undefined ? [] : [{ code, text: other }];
	});

/** @param standIns keys, as `selector of domain`, that KumoMTA did not have */
export function asRunInKumod(simulation: Simulation, standIns: readonly string[]): Simulation {
	const texts = {
		engine:
			'The revision’s own program ran in KumoMTA, by KumoMTA’s own functions. The conversation around it is the panel’s: the order of events, who may relay, and the words of replies that are KumoMTA’s own.',
		'key-file':
			standIns.length === 0
				? undefined
				: `KumoMTA has no key file yet for ${standIns.join(', ')}: another key signed in its place. An apply writes it.`,
		body: 'The body is made up here: a report gets the smallest one of its kind, all else none.'
	};
	return { ...simulation, engine: 'kumod', unknowns: changed(simulation.unknowns, texts) };
}

/** @param reason completes "KumoMTA was asked, but …" */
export function notRunInKumod(simulation: Simulation, reason: string): Simulation {
	const texts = {
		engine: `KumoMTA was asked, but ${reason}. So the revision’s own program ran in the panel’s Lua, against a double of KumoMTA’s interfaces.`,
		'path-limits': `Connection and message limits on the way out: KumoMTA was asked, but ${reason}.`
	};
	return { ...simulation, unknowns: changed(simulation.unknowns, texts) };
}
