import { expect, it } from 'vitest';
import { limitsOf } from './path-limits.ts';

it.each<[what: string, config: Record<string, unknown>, limits: unknown]>([
	[
		'numbers and texts',
		{ connection_limit: 3, max_connection_rate: '5/min', ehlo_domain: 'x' },
		[
			{ name: 'connection_limit', limit: '3' },
			{ name: 'max_connection_rate', limit: '5/min' }
		]
	],
	[
		'a provider’s shared limits',
		{ additional_connection_limits: { 'shaping-provider-google': 'local:7' } },
		[{ name: 'shaping-provider-google', limit: 'local:7' }]
	],
	['no limit at all', {}, []],
	['hostile values', { connection_limit: { x: 1 }, max_message_rate: 'x'.repeat(201) }, []]
])('reads %s', (_, config, limits) => {
	expect(limitsOf(config)).toEqual(limits);
});
