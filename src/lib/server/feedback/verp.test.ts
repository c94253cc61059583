import { expect, it } from 'vitest';
import { hostileTexts } from '../../../../tests/support/hostile.ts';
import { readReturnPath } from './verp.ts';

const base = (local: string) => `${local}@bounce.example.com`;

it.each([
	['replies', 'replies', null, null],
	['replies+4711', 'replies', '4711', null],
	['replies+', 'replies', null, null],
	['bounces+ann=example.org', 'bounces', null, 'ann@example.org'],
	['Bounces+Ann=Example.ORG', 'bounces', null, 'ann@example.org'],
	['bounces+ann+news=example.org', 'bounces', null, 'ann+news@example.org'],
	['bounces+a=b=example.org', 'bounces', null, 'a=b@example.org'],
	['bounces+4711-ab12-ann=example.org', 'bounces', null, 'ann@example.org'],
	['bounces+ann=nowhere', 'bounces', 'ann=nowhere', null],
	['bounces+=example.org', 'bounces', '=example.org', null],
	['bounce-ann=example.org', 'bounce-ann=example.org', null, 'ann@example.org'],
	['list-return-17-ann=example.org', 'list-return-17-ann=example.org', null, 'ann@example.org'],
	['offers-ann=example.org', 'offers-ann=example.org', null, null]
])('%s@', (local, account, token, recipient) => {
	expect(readReturnPath(base(local))).toEqual({ base: base(account), token, recipient });
});

it.each(['', 'nobody', '@', 'a b@example.com', ...hostileTexts])('%j names no recipient', (text) => {
	expect(readReturnPath(text)?.recipient ?? null).toBeNull();
});
