import { describe, expect, it } from 'vitest';
import type { QueuedMessage, Simulation } from '../simulate/inputs.ts';
import { differences, expectationOf } from './expectation.ts';
import { expectation } from './inputs.ts';
import type { Expectation } from './inputs.ts';

const source = (name: string, share = 1): QueuedMessage['sources'][number] => ({
	name,
	kumomtaName: name.toLowerCase(),
	address: '192.0.2.1',
	ehloDomain: 'out.example.net',
	weight: share,
	share,
	pathLimits: null
});
const key = (selector: string) => ({ domain: 'example.com', selector, algorithm: 'ed25519', headers: ['From'] });

const queued: QueuedMessage = {
	kind: 'outbound',
	tenant: 'news.example.com',
	campaign: null,
	queue: 'news.example.com@example.org',
	pool: 'main',
	sources: [source('Out 1'), source('Resting', 0)],
	signatures: [key('k1')],
	retry: null,
	rates: []
};

function answer(message: Partial<QueuedMessage> = {}): Simulation {
	const first = { recipient: 'a@example.org', accepted: true, reply: { code: 250, text: 'OK' }, rule: 'accepted' };
	const recipients = [{ ...first, message: { ...queued, ...message } }];
	return { engine: 'double', verdict: 'accepted', trail: [], recipients, unknowns: [] };
}

const refusal = { recipient: 'a@example.org', accepted: false, rule: 'from-foreign' };
function refused(text = '5.7.1 not with this From', code = 550): Simulation {
	return { ...answer(), verdict: 'refused', recipients: [{ ...refusal, reply: { code, text } }] };
}
const partly = (first: 'accepted' | 'refused'): Simulation => {
	const both = [...answer().recipients, ...refused().recipients];
	return { ...answer(), verdict: 'partly', recipients: first === 'accepted' ? both : both.toReversed() };
};

const kept = expectationOf(answer());

describe('an expectation', () => {
	it('is everything that an answer says of its first recipient, and may be saved', () => {
		expect(kept).toEqual({
			verdict: 'accepted',
			replyCode: 250,
			rule: 'accepted',
			pool: 'main',
			tenant: 'news.example.com',
			campaign: null,
			queue: 'news.example.com@example.org',
			sources: ['Out 1'],
			signatures: [{ domain: 'example.com', selector: 'k1' }]
		});
		expect(expectation.parse(kept)).toEqual(kept);
	});

	it('of a refusal holds no message', () => {
		expect(expectationOf(refused())).toEqual({ verdict: 'refused', replyCode: 550, rule: 'from-foreign' });
	});

	it.each([answer(), refused(), partly('accepted'), partly('refused'), answer({ pool: null, sources: [] })])(
		'is kept by the answer that it was taken from',
		(simulation) => expect(differences(expectationOf(simulation), simulation)).toEqual([])
	);
});

const cases: [string, Expectation, Simulation, [code: string, text: string][]][] = [
	['another pool', kept, answer({ pool: 'warm' }), [['pool', 'leaves by pool warm instead of main']]],
	['no pool', kept, answer({ pool: null }), [['pool', 'leaves by no pool instead of main']]],
	['a pool at last', { ...kept, pool: null }, answer(), [['pool', 'leaves by pool main instead of none']]],
	[
		'another tenant and its queue',
		kept,
		answer({ tenant: 'shop', queue: 'shop@example.org' }),
		[
			['tenant', 'belongs to tenant shop instead of news.example.com'],
			['queue', 'waits in queue shop@example.org instead of news.example.com@example.org']
		]
	],
	['a campaign', kept, answer({ campaign: 'spring' }), [['campaign', 'belongs to campaign spring instead of none']]],
	[
		'another source',
		kept,
		answer({ sources: [source('Out 2')] }),
		[
			['source', 'does not leave from source Out 1 any more'],
			['source', 'may leave from source Out 2 too']
		]
	],
	['no signature', kept, answer({ signatures: [] }), [['signature', 'is not signed by k1 of example.com any more']]],
	[
		'one signature more',
		kept,
		answer({ signatures: [key('k2'), key('k1')] }),
		[['signature', 'is signed by k2 of example.com too']]
	],
	['a refusal', kept, refused(), [['verdict', 'is refused with 550 5.7.1 not with this From instead of accepted']]],
	[
		'a refusal in several lines',
		kept,
		refused('5.7.1 one\r\ntwo\u0007'),
		[['verdict', 'is refused with 550 5.7.1 one two instead of accepted']]
	],
	['an acceptance', expectationOf(refused()), answer(), [['verdict', 'is accepted instead of refused']]],
	[
		'some recipients only',
		kept,
		partly('accepted'),
		[['verdict', 'is accepted for some recipients only (550 5.7.1 not with this From to others) instead of accepted']]
	],
	[
		'another refusal',
		expectationOf(refused()),
		refused('4.7.1 sending is paused', 451),
		[['reply', 'is answered 451 4.7.1 sending is paused instead of 550']]
	],
	[
		'another rule',
		{ verdict: 'refused', rule: 'no-relay' },
		refused(),
		[['rule', 'is decided by the rule from-foreign instead of no-relay']]
	],
	[
		'the other recipient refused',
		{ verdict: 'partly', pool: 'main' },
		partly('refused'),
		[['not-queued', 'has its first recipient refused with 550 5.7.1 not with this From']]
	],
	[
		'the order of sources',
		{ verdict: 'accepted', sources: ['B', 'A'] },
		answer({ sources: [source('A'), source('B')] }),
		[]
	],
	['what nobody asked for', { verdict: 'accepted' }, answer({ pool: 'warm', signatures: [], campaign: 'x' }), []]
];

describe('a difference', () => {
	it.each(cases)('%s', (_, expected, simulation, found) => {
		expect(differences(expected, simulation)).toEqual(found.map(([code, text]) => ({ code, text })));
	});
});
