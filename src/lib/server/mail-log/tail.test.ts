import { appendFileSync, chmodSync, mkdirSync, renameSync, copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { beforeEach, expect, it } from 'vitest';
import { openTestApp, temporaryDirectory, testClock } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { update } from '../settings/service.ts';
import { createLogTail, getLogState } from './service.ts';
import type { TakenRecord, Taker } from './service.ts';

let app: TestApp;
let directory: string;
let seen: string[];
let failing: boolean;
const clock = testClock();
const at = (name: string) => join(directory, name);

const line = (recipient: string, type = 'Bounce') =>
	`${JSON.stringify({ type, id: 'a1', sender: 'b@example.com', recipient, timestamp: 1, response: { code: 550 } })}\n`;
const segment = (...recipients: string[]) => zstdCompressSync(recipients.map((each) => line(each)).join(''));
const close = (name: string) => chmodSync(at(name), 0o440);
const taker: Taker = {
	wants: new Set(['Bounce']),
	store: async (_tx, taken: TakenRecord[]) => {
		if (failing) throw new Error('The database is gone.');
		seen.push(...taken.map(({ record }) => record.recipients.join()));
	}
};

beforeEach(async () => {
	app = await openTestApp({ clock: clock.now });
	directory = join(temporaryDirectory(), 'logs');
	mkdirSync(directory);
	await update(app, { logs: { directory, maxSegmentSeconds: 10, retentionDays: 30 } });
	seen = [];
	failing = false;
});

it('counts each record once in segments that grow, are closed, renamed, copied and cut', async () => {
	const tail = createLogTail(app, taker);
	const whole = segment('a', 'b');
	writeFileSync(at('1'), whole.subarray(0, -4));
	await tail.turn();
	appendFileSync(at('1'), whole.subarray(-4));
	await tail.turn();
	expect(seen).toEqual(['a', 'b']);
	appendFileSync(at('1'), segment('c'));
	await tail.turn();
	close('1');
	writeFileSync(at('2'), Buffer.concat([segment('d'), zstdCompressSync(line('noise', 'Reception') + line('e'))]));
	await tail.turn();
	await tail.turn();
	renameSync(at('1'), at('1.moved'));
	copyFileSync(at('2'), at('3'));
	truncateSync(at('2'), segment('d').length);
	close('2');
	await tail.turn();
	tail.close();
	const again = createLogTail(app, taker);
	await again.turn();
	await again.turn();
	again.close();
	expect(seen).toEqual(['a', 'b', 'c', 'd', 'e']);
});

it('what could not be stored is read again', async () => {
	const tail = createLogTail(app, taker);
	writeFileSync(at('1'), segment('a', 'b'));
	failing = true;
	await expect(tail.turn()).rejects.toThrow();
	failing = false;
	await tail.turn();
	await tail.turn();
	tail.close();
	expect(seen).toEqual(['a', 'b']);
});

it('damaged and foreign files stop nothing and are said once', async () => {
	const tail = createLogTail(app, taker);
	writeFileSync(at('1'), Buffer.concat([segment('a'), Buffer.from('zeros and ones')]));
	writeFileSync(at('2.txt'), 'notes');
	writeFileSync(at('3'), zstdCompressSync(`not JSON\n[]\n"text"\n${line('b')}{"type":"Bou`));
	mkdirSync(at('4'));
	writeFileSync(at('5'), '');
	for (const name of ['1', '3', '5']) close(name);
	for (let turn = 0; turn < 3; turn += 1) await tail.turn();
	tail.close();
	expect(seen).toEqual(['a', 'b']);
	expect(app.logLines.filter((each) => each.includes('damaged'))).toHaveLength(1);
	const { rows } = await app.database.client.execute(
		'SELECT name, state, lines, unreadable_lines FROM log_segments ORDER BY name'
	);
	expect(rows.map((row) => Object.values(row))).toEqual([
		['1', 'damaged', 1, 0],
		['3', 'done', 5, 4],
		['5', 'done', 0, 0]
	]);
});

it('a directory that is absent is a state, written once', async () => {
	await update(app, { logs: { directory: join(directory, 'none'), maxSegmentSeconds: 10, retentionDays: 30 } });
	expect((await getLogState(app.db)).state).toBe('never');
	const tail = createLogTail(app, taker);
	for (let turn = 0; turn < 3; turn += 1) await tail.turn();
	expect(await getLogState(app.db)).toMatchObject({ state: 'absent', code: 'ENOENT', sinceAt: clock.now() });
	expect(app.logLines.filter((each) => each.includes('ENOENT'))).toHaveLength(1);
	mkdirSync(join(directory, 'none'));
	await tail.turn();
	tail.close();
	expect(await getLogState(app.db)).toMatchObject({ state: 'reading', code: null });
});
