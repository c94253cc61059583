import { expect, test } from 'vitest';
import { summary } from './server-summary';
import type { ServerStatus } from './server-summary';

const live: ServerStatus = {
	liveRevision: 41,
	dirty: false,
	changes: 0,
	drift: [],
	foreign: null,
	runningApplyId: null,
	kumomta: { isInstalled: true, root: '/opt/kumomta' }
};

test.each<[what: string, change: Partial<ServerStatus>, word: string, kind: string]>([
	['all is live', {}, 'all live', 'ok'],
	['changes wait', { dirty: true, changes: 3 }, 'not all live', 'warn'],
	['nothing was applied', { liveRevision: null, dirty: true, changes: 5 }, 'nothing live', 'neutral'],
	['files were edited', { drift: [{}], dirty: true }, 'changed by hand', 'warn'],
	['an apply runs', { runningApplyId: 'a', drift: [{}] }, 'applying', 'neutral']
])('%s', (_what, change, word, kind) => {
	expect(summary({ ...live, ...change })).toMatchObject({ word, kind });
});

test('an absent KumoMTA is said in words', () => {
	const { kumomta } = summary({ ...live, kumomta: { isInstalled: false, root: '/srv/kumomta' } });
	expect(kumomta).toContain('Not installed');
	expect(kumomta).toContain('/srv/kumomta');
});

test.each<[change: Partial<ServerStatus>, waiting: string]>([
	[{ computing: true, dirty: true }, 'Being compared'],
	[{ dirty: true, changes: 1 }, '1 change'],
	[{ dirty: true, changes: 1200 }, '1,200 changes'],
	[{}, 'Nothing']
])('%o waits as %s', (change, waiting) => expect(summary({ ...live, ...change }).waiting).toBe(waiting));

test("somebody else's policy is never shown as the panel's", () => {
	for (const mayReplace of [true, false])
		expect(summary({ ...live, foreign: { mayReplace } }).files).not.toContain('As the panel wrote');
});

test.each([
	[{ state: 'answering', version: '2026.03.04-bb93ecb1' }, 'Running, version 2026.03.04-bb93ecb1'],
	[{ state: 'answering', version: null }, 'Running'],
	[{ state: 'refusing', version: null }, 'Running, but it refuses the panel'],
	[{ state: 'away', version: '2026.03.04-bb93ecb1' }, 'Not answering'],
	[{ state: 'never', version: null }, 'Installed in /opt/kumomta']
] as const)('a process that is %o', (process, words) => expect(summary(live, process).kumomta).toBe(words));
