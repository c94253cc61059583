import { expect, test } from 'vitest';
import { kumomtaWords } from './kumomta-words';

const at = new Date(2026, 0, 5, 14, 3).getTime();
const away = {
	state: 'away' as const,
	sinceAt: at,
	detail: 'nothing answers there',
	version: '2026.03.04-bb93ecb1',
	lastSeenAt: at - 10_000,
	restartedAt: null,
	isInstalled: true
};
const never = { ...away, state: 'never' as const, lastSeenAt: null };

test('a KumoMTA that is away is said since when, and what it means for mail', () => {
	const words = kumomtaWords(away, at + 60_000);
	expect(words?.title).toBe('KumoMTA has not answered since 14:03.');
	expect(words?.meaning).toContain('Mail it already has is not affected by the panel.');
});

test('of another day the date is said too', () => {
	expect(kumomtaWords(away, at + 86_400_000)?.title).toBe('KumoMTA has not answered since 5 Jan, 14:03.');
});

test.each([
	['answers', { ...away, state: 'answering' as const, detail: null }],
	['is not installed', { ...never, isInstalled: false }],
	['was not asked yet', { ...never, detail: null }]
])('nothing is said when it %s', (_what, status) => expect(kumomtaWords(status, at)).toBeNull());

test('one that never answered is not said to have gone away', () => {
	expect(kumomtaWords(never, at)?.title).toBe('KumoMTA has not answered since the panel started at 14:03.');
});

test('one elsewhere that answered once is missed too', () => {
	expect(kumomtaWords({ ...away, isInstalled: false }, at)).not.toBeNull();
});

test('a refusal is not an absence', () => {
	const words = kumomtaWords({ ...away, state: 'refusing' }, at);
	expect(words?.title).toBe('KumoMTA has refused the panel since 14:03.');
	expect(words?.meaning).toContain('Mail is not affected.');
});
