import type { Inputs, Outputs } from '$lib/api';

type Answer = Outputs['policy']['simulate'];
type Expectation = NonNullable<Inputs['policy']['routes']['create']['expectation']>;

export interface Part {
	name: string;
	label: string;
	/** How it is now. */
	now: string;
	expectation: Partial<Expectation>;
}

const named = (value: string | null) => value ?? 'none';

/** What of an answer can be held on to, besides whether it is accepted; about the first recipient. */
export function partsOf({ recipients }: Answer): Part[] {
	const [first] = recipients;
	if (first === undefined) return [];
	const { reply, rule, message } = first;
	const answered: Part[] = [
		{
			name: 'reply',
			label: 'Reply and rule',
			now: `${reply.code}, ${rule}`,
			expectation: { replyCode: reply.code, rule }
		}
	];
	if (message === undefined) return answered;
	const { pool, tenant, campaign, queue } = message;
	const sources = message.sources.filter(({ share }) => share > 0).map(({ name }) => name);
	const signatures = message.signatures.map(({ domain, selector }) => ({ domain, selector }));
	return [
		...answered,
		{ name: 'pool', label: 'Pool', now: named(pool), expectation: { pool } },
		{ name: 'sources', label: 'Sources', now: sources.join(', ') || 'none', expectation: { sources } },
		{
			name: 'signatures',
			label: 'Signatures',
			now: signatures.map(({ selector, domain }) => `${selector} of ${domain}`).join(', ') || 'none',
			expectation: { signatures }
		},
		{ name: 'tenant', label: 'Tenant', now: named(tenant), expectation: { tenant } },
		{ name: 'queue', label: 'Queue and campaign', now: queue, expectation: { queue, campaign } }
	];
}
