import { expect, it } from 'vitest';
import { byDomain } from './by-domain';

const change = (subject: string, domain?: string) => ({
	scope: 'sender' as const,
	kind: 'added' as const,
	subject,
	text: subject,
	...(domain !== undefined && { domain })
});

it.each([
	[[], []],
	[[change('a')], [[null, 1]]],
	[
		[change('the log'), change('a@a', 'a'), change('b@a', 'a'), change('c@b', 'b'), change('the spool')],
		[
			[null, 2],
			['a', 2],
			['b', 1]
		]
	]
])('changes stand below their domains, none lost', (changes, groups) => {
	expect(byDomain(changes).map(([domain, items]) => [domain, items.length])).toEqual(groups);
});
