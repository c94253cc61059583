import type { Inputs, Outputs } from '$lib/api';

type Route = Outputs['policy']['routes']['list']['items'][number];
type Expectation = NonNullable<Inputs['policy']['routes']['update']['expectation']>;

export const partNames = ['replyCode', 'rule', 'pool', 'sources', 'signatures', 'tenant', 'campaign', 'queue'] as const;
type PartName = (typeof partNames)[number];

/** An expectation as a form holds it: what is held on to, and each part as text. */
export interface ExpectationValues {
	verdict: Expectation['verdict'];
	held: Record<PartName, boolean>;
	part: Record<PartName, string>;
}

export const parts: Record<PartName, { label: string; hint?: string; isList?: boolean }> = {
	replyCode: { label: 'Code of the reply', hint: 'Like 250 or 550.' },
	rule: { label: 'Rule that decides', hint: 'Its short name, like accepted or from-foreign.' },
	pool: { label: 'Pool', hint: 'Empty: none.' },
	sources: { label: 'Sources', hint: 'All that may send it, one per line. Empty: none.', isList: true },
	signatures: {
		label: 'Signatures',
		hint: 'All of them, one per line, like k1 of example.com. Empty: none.',
		isList: true
	},
	tenant: { label: 'Tenant', hint: 'Empty: none.' },
	campaign: { label: 'Campaign', hint: 'Empty: none.' },
	queue: { label: 'Queue' }
};

const lines = (text: string) =>
	text
		.split('\n')
		.map((line) => line.trim())
		.filter((line) => line !== '');

export function valuesOf(expectation: Route['expectation']): ExpectationValues {
	const { verdict, replyCode, rule, pool, sources, signatures, tenant, campaign, queue } = expectation;
	const held = Object.fromEntries(partNames.map((name) => [name, expectation[name] !== undefined]));
	return {
		verdict,
		held: held as Record<PartName, boolean>,
		part: {
			replyCode: String(replyCode ?? ''),
			rule: rule ?? '',
			pool: pool ?? '',
			tenant: tenant ?? '',
			campaign: campaign ?? '',
			queue: queue ?? '',
			sources: (sources ?? []).join('\n'),
			signatures: (signatures ?? []).map(({ selector, domain }) => `${selector} of ${domain}`).join('\n')
		}
	};
}

const signaturePattern = /^(\S+) of (\S+)$/;

/** What is wrong with the parts that are held, by their paths in the form. */
export function valueProblems({ held, part }: ExpectationValues): Record<string, string | undefined> {
	const wrong = lines(part.signatures).find((line) => !signaturePattern.test(line));
	return {
		'part.replyCode':
			held.replyCode && !/^[2-5]\d\d$/.test(part.replyCode.trim()) ? 'Write a code like 250.' : undefined,
		'part.signatures':
			held.signatures && wrong !== undefined
				? `Write each signature like "k1 of example.com". This line is none: ${wrong}`
				: undefined
	};
}

export function expectationOf({ verdict, held, part }: ExpectationValues): Expectation {
	const orNone = (text: string) => text.trim() || null;
	const { replyCode, rule, pool, sources, signatures, tenant, campaign, queue } = part;
	const all: Required<Omit<Expectation, 'verdict'>> = {
		replyCode: Number(replyCode),
		rule: rule.trim(),
		pool: orNone(pool),
		sources: lines(sources),
		signatures: lines(signatures).map((line) => {
			const [, selector = '', domain = ''] = signaturePattern.exec(line) ?? [];
			return { selector, domain };
		}),
		tenant: orNone(tenant),
		campaign: orNone(campaign),
		queue: queue.trim()
	};
	const kept = partNames.filter((name) => held[name]).map((name) => [name, all[name]]);
	return { verdict, ...(Object.fromEntries(kept) as Partial<Expectation>) };
}

/** What an answer is now, in the parts that are held; about the first recipient, as the server reads it. */
export function valuesNow(values: ExpectationValues, answer: Outputs['policy']['simulate']): ExpectationValues {
	const [first] = answer.recipients;
	const { message } = first ?? {};
	const now = valuesOf({
		verdict: answer.verdict,
		...(first === undefined ? {} : { replyCode: first.reply.code, rule: first.rule }),
		...(message === undefined
			? {}
			: {
					pool: message.pool,
					tenant: message.tenant,
					campaign: message.campaign,
					queue: message.queue,
					sources: message.sources.filter(({ share }) => share > 0).map(({ name }) => name),
					signatures: message.signatures.map(({ domain, selector }) => ({ domain, selector }))
				})
	});
	// What a refused message no longer has cannot be held on to.
	const held = partNames.map((name) => [name, values.held[name] && now.held[name]]);
	return { ...now, held: Object.fromEntries(held) as ExpectationValues['held'] };
}
