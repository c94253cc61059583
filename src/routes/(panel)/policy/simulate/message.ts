import type { Inputs } from '$lib/api';

/** What the form holds; `arrival.listener` is `http` for KumoMTA's HTTP API. */
export interface MessageValues {
	arrival: { listener: string; clientAddress: string; authenticatedAs: string };
	mailFrom: string;
	recipients: string;
	from: string;
	headers: string;
	revision: string;
}

/** A sender that hands in mail as most do. */
export const usualMessage = (sender: string): MessageValues => ({
	arrival: { listener: 'submission', clientAddress: '203.0.113.5', authenticatedAs: sender },
	mailFrom: sender,
	recipients: 'someone@gmail.com',
	from: sender,
	headers: 'Subject: hello',
	revision: ''
});

/** A link to the form as it is filled in: nothing in it is a secret, since no password is asked for. */
export function queryOf({ arrival, mailFrom, recipients, from, headers, revision }: MessageValues): URLSearchParams {
	return new URLSearchParams({
		by: arrival.listener,
		as: arrival.authenticatedAs,
		client: arrival.clientAddress,
		mailfrom: mailFrom,
		to: recipients,
		from,
		headers,
		...(revision === '' ? {} : { revision })
	});
}

/** What a link says; the rest as the sender that it names, or else `sender`, would send it. */
export function valuesOf(query: URLSearchParams, sender: string): MessageValues {
	const usual = usualMessage(query.get('as') ?? sender);
	const { listener, clientAddress, authenticatedAs } = usual.arrival;
	const revision = query.get('revision') ?? '';
	return {
		arrival: {
			listener: query.get('by') ?? listener,
			clientAddress: query.get('client') ?? clientAddress,
			authenticatedAs
		},
		mailFrom: query.get('mailfrom') ?? usual.mailFrom,
		recipients: query.get('to') ?? usual.recipients,
		from: query.get('from') ?? usual.from,
		headers: query.get('headers') ?? usual.headers,
		revision: /^[1-9]\d{0,8}$/.test(revision) ? revision : ''
	};
}

/** Another login takes the addresses along that were the old one's. */
export function withLogin(values: MessageValues, login: string): MessageValues {
	const { arrival, mailFrom, from } = values;
	const moved = (address: string) => (address === arrival.authenticatedAs ? login : address);
	return { ...values, arrival: { ...arrival, authenticatedAs: login }, mailFrom: moved(mailFrom), from: moved(from) };
}

const lines = (text: string) =>
	text
		.split('\n')
		.map((line) => line.trim())
		.filter((line) => line !== '');

/** One header a line; a line without a colon is an error that is told beside the field. */
export function headerProblem(text: string): string | undefined {
	const wrong = lines(text).find((line) => !/^[!-9;-~]+:/.test(line));
	return wrong === undefined ? undefined : `Write each header like "Subject: hello". This line is none: ${wrong}`;
}

export function messageOf(values: MessageValues): Inputs['policy']['simulate'] {
	const { arrival, mailFrom, recipients, from, headers, revision } = values;
	const { listener, clientAddress } = arrival;
	const user = arrival.authenticatedAs.trim();
	const login = user === '' ? {} : { authenticatedAs: user };
	const parsed = lines(headers).map((line) => {
		const colon = line.indexOf(':');
		return { name: line.slice(0, colon), value: line.slice(colon + 1).trim() };
	});
	return {
		arrival:
			listener === 'http'
				? { via: 'http', clientAddress, ...login }
				: { via: 'smtp', listener, clientAddress, ...login },
		mailFrom,
		recipients: lines(recipients),
		headers: [...(from.trim() === '' ? [] : [{ name: 'From', value: from.trim() }]), ...parsed],
		...(revision === '' ? {} : { revision: Number(revision) })
	};
}
