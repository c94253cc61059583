import { DatabaseSync } from 'node:sqlite';
import type { App } from '../../app.ts';
import { suppressionFormat } from '../../core/suppression-format.ts';
import { UserError } from '../../core/errors.ts';
import { inspectFile, suppressionRoots } from '../../suppression/service.ts';
import { askApplier, lookEveryMs, pause, readAnswer, sendRequest, silent, withdraw } from './send.ts';
import { bringMirror } from './mirror.ts';
import { refusalError } from './state.ts';

const by = 'job:policy.follow-applier';
/** KumoMTA's program opens the files anew when they are 30 s old: until then somebody may read the old base. */
const heldMs = 45_000;
const placeMs = 600_000;
const rowsAtOnce = 5000;

/** Asks how things stand where the panel may not look, and hands on the suppression files that the panel made. */
export async function followApplier(app: App): Promise<void> {
	if (app.env.applier === undefined) return;
	try {
		await askApplier(app, by);
		await placeFiles(app);
	} catch (error) {
		if (!(error instanceof UserError)) throw error;
		app.log.warn('the applier did not do what was asked', { reason: error.detail.reason, message: error.message });
	}
}

/**
 * A delta that says what came after a base goes first, then the base; a delta that begins at a new base waits until nobody
 * holds the old one: see suppression/keep-files.ts.
 */
async function placeFiles(app: App): Promise<void> {
	const files = suppressionRoots(app.env.kumomtaRoot);
	const state = await bringMirror(app);
	if (state === undefined || state.live.kind === 'absent') return;
	const [base, delta] = [await inspectFile(app.host, files.base), await inspectFile(app.host, files.delta)];
	if (base.kind !== 'ok') return;
	const there = state.suppression;
	const beginsAtBase = delta.kind === 'ok' && delta.about.baseId === base.about.id;
	const isNewBase = there.base?.id !== base.about.id;
	const place = (name: 'base' | 'delta', about: typeof base.about) => placeOne(app, { name, path: files[name], about });
	if (isNewBase && beginsAtBase && there.base !== null) {
		await place('base', base.about);
		return;
	}
	const isDue = delta.kind === 'ok' && there.delta?.id !== delta.about.id;
	const isHeld = beginsAtBase && there.delta !== null && app.clock() - (there.base?.at ?? 0) < heldMs;
	if (isDue && !isHeld) await place('delta', delta.about);
	if (isNewBase) await place('base', base.about);
}

interface ToPlace {
	name: 'base' | 'delta';
	path: string;
	about: { id: string; baseId: string; seq: number; due: number; at: number };
}

async function placeOne(app: App, { name, path, about }: ToPlace): Promise<void> {
	const { id, baseId, seq, due, at } = about;
	const wish = { kind: 'suppression', name, about: { id, baseId, seq, due, at } } as const;
	const sent = await sendRequest(app, { by, wish, lines: rowsOf(path) });
	for (let waited = 0; ; waited += lookEveryMs) {
		const found = await readAnswer(app, sent.ref);
		if (found?.refusal) throw refusalError(found.refusal);
		if (found !== undefined) return void (await bringMirror(app));
		if (waited >= placeMs && (await withdraw(sent))) throw silent();
		await pause(lookEveryMs);
	}
}

/** The rows of a file that the panel itself wrote. */
function* rowsOf(path: string): Generator<unknown> {
	const { table, columns } = suppressionFormat;
	const db = new DatabaseSync(path, { readOnly: true });
	try {
		let rows: unknown[] = [];
		for (const row of db.prepare(`SELECT ${columns.join(', ')} FROM ${table}`).iterate()) {
			rows.push(columns.map((column) => (row as Record<string, unknown>)[column]));
			if (rows.length < rowsAtOnce) continue;
			yield ['rows', rows];
			rows = [];
		}
		if (rows.length > 0) yield ['rows', rows];
	} finally {
		db.close();
	}
}
