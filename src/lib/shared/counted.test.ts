import { expect, test } from 'vitest';
import { counted } from './counted.ts';

test.each([
	[0, '0 domains'],
	[1, '1 domain'],
	[2, '2 domains'],
	[100_000, '100,000 domains']
])('%i in words', (count, words) => expect(counted(count, 'domain')).toBe(words));
