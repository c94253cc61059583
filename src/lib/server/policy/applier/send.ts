import { createWriteStream, mkdirSync } from 'node:fs';
import { open, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../../app.ts';
import { UserError } from '../../core/errors.ts';
import { newId } from '../../core/id.ts';
import { errnoOf } from '../../host/file-errors.ts';
import { panelCredential } from '../credential.ts';
import { answer, answerBytes, answersDirectory } from './answer.ts';
import type { Answer } from './answer.ts';
import { packLines } from './lines.ts';
import { credentialPurpose, requestFormat } from './request.ts';
import type { RequestHeader, Wish } from './request.ts';
import { bringMirror } from './mirror.ts';
import { knownState, parseJson } from './state.ts';

const lastSent = new WeakMap<App['database'], number>();

export interface Request {
	/** Names the answer; a new one unless given. */
	ref?: string;
	by: string;
	wish: Wish;
	/** The lines after the header. */
	lines?: Iterable<unknown> | AsyncIterable<unknown>;
}

export interface Sent {
	ref: string;
	path: string;
}

/** Lays a request where the applier takes it: complete and on disk before it has its name. */
export async function sendRequest(app: App, { ref = newId(), by, wish, lines = [] }: Request): Promise<Sent> {
	const { inbox } = placesOf(app);
	const requests = join(inbox, 'requests');
	mkdirSync(requests, { recursive: true, mode: 0o700 });
	const header: RequestHeader = { format: requestFormat, ref, by: plain(by), credential: await credential(app), wish };
	const temporary = join(inbox, `.${ref}.tmp`);
	try {
		await packLines(startingWith(header, lines), createWriteStream(temporary, { flags: 'wx', mode: 0o600 }));
		await syncFile(temporary);
		await app.host.faultPoint('applier.request-written');
		const path = join(requests, String(await nextNumber(app)));
		await rename(temporary, path);
		await syncFile(requests);
		return { ref, path };
	} finally {
		await rm(temporary, { force: true });
	}
}

/** Takes a request back. Answers false when the applier took it before. */
export async function withdraw({ path }: Sent): Promise<boolean> {
	try {
		await unlink(path);
		return true;
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return false;
		throw error;
	}
}

async function* startingWith(header: RequestHeader, lines: Iterable<unknown> | AsyncIterable<unknown>) {
	yield header;
	yield* lines;
}

async function syncFile(path: string): Promise<void> {
	const file = await open(path, 'r');
	try {
		await file.sync();
	} finally {
		await file.close();
	}
}

/** Grows, also where a clock was set back; two processes of the panel never give the same. */
async function nextNumber(app: App): Promise<number> {
	const last = Math.max((await knownState(app))?.lastNumber ?? 0, lastSent.get(app.database) ?? 0);
	const number = Math.max(last + 1, app.clock() * 1000 + (process.pid % 1000));
	lastSent.set(app.database, number);
	return number;
}

const plain = (text: string) => text.replaceAll(/\p{Cc}/gu, ' ').slice(0, 300);

async function credential(app: App): Promise<string | null> {
	const known = await panelCredential(app);
	return known === undefined ? null : app.keys.applier.seal(known.password, credentialPurpose);
}

/** What the applier answered so far; undefined: nothing yet. */
export async function readAnswer(app: App, ref: string): Promise<Answer | undefined> {
	const path = join(placesOf(app).results, answersDirectory, `${ref}.json`);
	const parsed = answer.safeParse(parseJson(await app.host.files.readText(path, answerBytes)));
	return parsed.success ? parsed.data : undefined;
}

export function placesOf(app: App) {
	if (app.env.applier === undefined) throw new Error('There is no applier here.');
	return app.env.applier;
}

/** How often a file of the applier's is looked at. */
export const lookEveryMs = 100;

/**
 * Asks the applier how things stand and lets the mirror say so.
 * @throws UserError applier-silent when it does not answer in time.
 */
export async function askApplier(app: App, by: string, waitMs = 30_000): Promise<void> {
	const sent = await sendRequest(app, { by, wish: { kind: 'look' } });
	for (let waited = 0; (await readAnswer(app, sent.ref)) === undefined; waited += lookEveryMs) {
		if (waited >= waitMs) {
			await withdraw(sent);
			throw silent();
		}
		await pause(lookEveryMs);
	}
	await bringMirror(app);
}

export function silent(): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		'The applier, which does what needs root, does not answer. Nothing was changed; mail goes on as before. Look at: systemctl status kumomta-ui-applier.path kumomta-ui-applier.service',
		{ reason: 'applier-silent' }
	);
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
