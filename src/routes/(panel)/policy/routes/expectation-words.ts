import type { Outputs } from '$lib/api';

type Route = Outputs['policy']['routes']['list']['items'][number];

/** "accepted · pool main · signed by k1 of example.com" */
export function expectationWords({ expectation }: Pick<Route, 'expectation'>): string {
	const { verdict, replyCode, pool, sources, signatures, tenant, queue } = expectation;
	return [
		verdict === 'partly' ? 'accepted for some' : verdict,
		verdict === 'refused' && replyCode !== undefined && `reply ${replyCode}`,
		pool !== undefined && `pool ${pool ?? 'none'}`,
		sources !== undefined && `from ${sources.join(', ') || 'no source'}`,
		signatures !== undefined &&
			`signed by ${signatures.map(({ selector, domain }) => `${selector} of ${domain}`).join(', ') || 'nobody'}`,
		tenant !== undefined && `tenant ${tenant ?? 'none'}`,
		queue !== undefined && `queue ${queue}`
	]
		.filter(Boolean)
		.join(' · ');
}

/** "news@example.com to someone@gmail.com, by submission" */
export function requestWords({ request }: Pick<Route, 'request'>): string {
	const { arrival, mailFrom, recipients } = request;
	const from = arrival.authenticatedAs ?? (mailFrom === '' ? 'the null sender' : mailFrom);
	const more = recipients.length > 1 ? ` and ${recipients.length - 1} more` : '';
	const by = arrival.via === 'http' ? 'the HTTP API' : arrival.listener;
	return `${from} to ${recipients[0] ?? 'nobody'}${more}, by ${by}`;
}
