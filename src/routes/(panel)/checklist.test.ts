import { expect, test } from 'vitest';
import { checklist, isReady } from './checklist';
import type { Progress } from './checklist';

const empty: Progress = {
	hostname: null,
	sources: 0,
	pools: 0,
	domains: 0,
	senders: 0,
	domain: null,
	liveRevision: null,
	isDirty: false,
	dns: null
};
const whole: Progress = {
	hostname: 'mta1.example.net',
	sources: 2,
	pools: 1,
	domains: 1,
	senders: 1,
	domain: { id: 'd1', displayName: 'news.example', keys: 1, activeKeys: 1 },
	liveRevision: 3,
	isDirty: false,
	dns: { right: 5, of: 5 }
};
const waitingSteps = (progress: Progress) =>
	checklist(progress)
		.filter(({ status }) => status !== 'ok')
		.map(({ title }) => title);

test('nothing is done on an empty server, and every step leads somewhere', () => {
	const steps = checklist(empty);
	expect(steps.map(({ title }) => title)).toEqual([
		'Host name',
		'Source',
		'Pool',
		'Domain',
		'DKIM key',
		'DNS published',
		'Sender',
		'Applied'
	]);
	expect(steps.map(({ status }) => status)).toEqual(['next', ...Array<string>(7).fill('waiting')]);
	expect(steps.every(({ href }) => href.startsWith('/'))).toBe(true);
	expect(JSON.stringify(steps)).not.toMatch(/undefined|null/);
	expect(isReady(steps)).toBe(false);
});

test.each<[what: string, change: Partial<Progress>, waits: string[]]>([
	['everything is there', {}, []],
	['changes wait', { isDirty: true }, ['Applied']],
	['nothing was ever applied', { liveRevision: null }, ['Applied']],
	['a record is missing', { dns: { right: 4, of: 5 } }, ['DNS published']],
	['DNS was not asked yet', { dns: null }, ['DNS published']],
	['no record is expected', { dns: { right: 0, of: 0 } }, ['DNS published']],
	['a key waits', { domain: { id: 'd1', displayName: 'news.example', keys: 1, activeKeys: 0 } }, ['DKIM key']]
])('%s', (_what, change, waits) => {
	const progress = { ...whole, ...change };
	expect(waitingSteps(progress)).toEqual(waits);
	expect(isReady(checklist(progress))).toBe(waits.length === 0);
});

test('the key and the records are found on the page of the first domain', () => {
	const hrefs = checklist(whole).map(({ href }) => href);
	expect(hrefs).toContain('/domains/d1#dkim');
	expect(hrefs).toContain('/domains/d1#dns');
});
