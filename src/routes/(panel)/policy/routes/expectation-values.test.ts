import { describe, expect, it } from 'vitest';
import { expectationOf, valueProblems, valuesNow, valuesOf } from './expectation-values.ts';

const all = {
	verdict: 'accepted' as const,
	replyCode: 250,
	rule: 'accepted',
	pool: 'main',
	sources: ['Out 1', 'Out 2'],
	signatures: [{ selector: 'k1', domain: 'example.com' }],
	tenant: 'news.example.com',
	campaign: null,
	queue: 'news.example.com@gmail.com'
};

describe('an expectation in a form', () => {
	it.each([
		['with all parts', all],
		['with a verdict alone', { verdict: 'refused' as const }],
		['that nothing leaves', { verdict: 'accepted' as const, pool: null, sources: [], signatures: [] }]
	])('%s comes back as it was', (_, expectation) => {
		expect(expectationOf(valuesOf(expectation))).toEqual(expectation);
		expect(Object.values(valueProblems(valuesOf(expectation))).filter(Boolean)).toEqual([]);
	});

	it('says nothing of a part that is let go', () => {
		const values = valuesOf(all);
		values.held.pool = false;
		values.held.signatures = false;
		const { pool: _, signatures: __, ...rest } = all;
		expect(expectationOf(values)).toEqual(rest);
	});

	it.each([
		['replyCode', 'ok', 'Write a code'],
		['replyCode', '600', 'Write a code'],
		['signatures', 'k1 of example.com\nk2', 'This line is none: k2']
	] as const)('refuses %s %j, unless it is let go', (name, text, problem) => {
		const values = valuesOf(all);
		values.part[name] = text;
		expect(valueProblems(values)[`part.${name}`]).toContain(problem);
		values.held[name] = false;
		expect(valueProblems(values)[`part.${name}`]).toBeUndefined();
	});
});

describe('what an answer is now', () => {
	const reply = { code: 550, text: 'no' };
	const refused = { recipient: 'a@example.net', accepted: false, reply, rule: 'from-foreign' };
	const answer = { revision: null, hash: '', engine: 'double' as const, trail: [], unknowns: [] };

	it('replaces the parts that are held and lets go of those it has not', () => {
		const values = valuesNow(valuesOf(all), { ...answer, verdict: 'refused', recipients: [refused] });
		expect(expectationOf(values)).toEqual({ verdict: 'refused', replyCode: 550, rule: 'from-foreign' });
	});

	it('holds on to no part that was let go', () => {
		const values = valuesNow(valuesOf({ verdict: 'accepted' }), {
			...answer,
			verdict: 'refused',
			recipients: [refused]
		});
		expect(expectationOf(values)).toEqual({ verdict: 'refused' });
	});
});
