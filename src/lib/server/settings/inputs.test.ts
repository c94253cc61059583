import { describe, expect, it } from 'vitest';
import { updateSettings } from './inputs.ts';

const takes = (input: unknown) => updateSettings.safeParse(input).success;

describe('a resolver', () => {
	it.each(['9.9.9.9', '9.9.9.9:53', '2620:fe::fe', '[2620:fe::fe]:5353', '192.0.2.1:1', '192.0.2.1:65535'])(
		'is %s',
		(resolver) => expect(takes({ resolvers: [resolver] })).toBe(true)
	);
	it.each(['9.9.9.9:65536', '9.9.9.9:99999', '9.9.9.9:0', '[2620:fe::fe]:65536', '9.9.9.9:', 'dns.example.net', ''])(
		'is not %j',
		(resolver) => expect(takes({ resolvers: [resolver] })).toBe(false)
	);
});

describe('the campaign header', () => {
	it.each(['X-Campaign', 'x-job', 'Campaign-ID'])('may be %s', (campaignHeader) =>
		expect(takes({ campaignHeader })).toBe(true)
	);
	it.each(['From', 'SUBJECT', 'message-id', 'DKIM-Signature', 'List-Unsubscribe', 'X:Y', 'X Y', ''])(
		'may not be %j',
		(campaignHeader) => expect(takes({ campaignHeader })).toBe(false)
	);
});

describe('the address of an AI provider', () => {
	const isTaken = (baseUrl: string) => takes({ ai: { provider: 'openai-compatible', baseUrl } });

	it.each(['https://ai.example.net/v1', 'http://[2001:db8::1]:8080/', 'https://ai.example.net/@me'])('is %s', (url) =>
		expect(isTaken(url)).toBe(true)
	);
	it.each([
		'https://user:password@ai.example.net/',
		'https://key@ai.example.net/',
		'https://ai.example.net/\u202egnp',
		'https://ai.example.net/a b',
		'https://ai.example.net/\0',
		'javascript:alert(1)',
		'ai.example.net'
	])('is not %j', (url) => expect(isTaken(url)).toBe(false));
});

it('a watched file is never above the directory that the path begins with', () => {
	expect(takes({ monitorGlobs: ['/etc/lists/*.txt'] })).toBe(true);
	expect(takes({ monitorGlobs: ['/etc/lists/../../root/*'] })).toBe(false);
});
