import { expect, test } from 'vitest';
import { relativeTime } from './time-text';

const now = Date.UTC(2026, 10, 24, 12);
const minute = 60_000;

test.each([
	[now, 'just now'],
	[now - 59_000, 'just now'],
	[now + 59_000, 'in a moment'],
	[now - 2 * minute, '2 minutes ago'],
	[now - 119 * minute, '1 hour ago'],
	[now - 25 * 60 * minute, 'yesterday'],
	[now + 3 * 24 * 60 * minute, 'in 3 days'],
	[now - 400 * 24 * 60 * minute, 'last year']
])('%i is %s', (at, text) => expect(relativeTime(at, now)).toBe(text));
