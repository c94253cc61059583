import { lstat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../host/file-errors.ts';
import type { Host } from '../host/host.ts';
import { eachFolder, eachMessage, entriesOf, withDirectoryIfThere } from './maildir.ts';
import type { Mailbox, Message } from './maildir.ts';
import { createOldest } from './oldest.ts';
import { removeMessages } from './remove-messages.ts';
import type { Removed } from './remove-messages.ts';

/** What lies in a mailbox. */
export interface Contents {
	messages: number;
	bytes: number;
	newestAt: number | null;
}

export interface Rule {
	/** Messages that arrived before are removed. */
	keptSince: number;
	quotaBytes: number;
}

export interface Tidied {
	contents: Contents;
	expired: Removed;
	overQuota: Removed;
	/** More has to go than one call removes: call again. */
	isUnfinished: boolean;
}

/** One call removes no more than this. Twice as many are held and sorted at a time, which takes some milliseconds. */
const mostAtOnce = 5000;
/**
 * A mailbox over its quota is brought down to this part of it, so that a stream of bounces does not bring the job back for
 * each of them.
 */
const partLeft = 0.9;
/** https://cr.yp.to/proto/maildir.html: a delivery that has not ended after 36 hours never will. */
const abandonedAfterMs = 36 * 60 * 60_000;

/** Counts a mailbox without changing it. @throws an errno error when it can't be read. */
export async function countMailbox(mailbox: Mailbox): Promise<Contents> {
	return (await look(mailbox)).contents;
}

/**
 * Removes what is older than it may be, then the oldest while the mailbox is above its quota: what is oldest has been
 * fetched the longest, and KumoMTA, which writes the files, knows no quota.
 */
export async function tidyMailbox(host: Host, mailbox: Mailbox, rule: Rule): Promise<Tidied> {
	const { contents, oldest } = await look(mailbox);
	const expired = oldest.filter(({ at }) => at < rule.keptSince);
	const bytesLeft = contents.bytes - sum(expired);
	const excess = bytesLeft > rule.quotaBytes ? bytesLeft - rule.quotaBytes * partLeft : 0;
	const overQuota = firstOf(oldest.slice(expired.length), excess);
	const gone = {
		expired: await removeMessages(host, mailbox, expired),
		overQuota: await removeMessages(host, mailbox, overQuota)
	};
	const removed = gone.expired.messages + gone.overQuota.messages;
	return {
		contents: {
			messages: contents.messages - removed,
			bytes: contents.bytes - gone.expired.bytes - gone.overQuota.bytes,
			newestAt: contents.messages === removed ? null : contents.newestAt
		},
		...gone,
		isUnfinished: expired.length + overQuota.length === oldest.length && oldest.length === mostAtOnce
	};
}

async function look(mailbox: Mailbox): Promise<{ contents: Contents; oldest: Message[] }> {
	const contents: Contents = { messages: 0, bytes: 0, newestAt: null };
	const oldest = createOldest(mostAtOnce);
	await eachMessage(mailbox, (message) => {
		contents.messages += 1;
		contents.bytes += message.bytes;
		contents.newestAt = Math.max(contents.newestAt ?? 0, message.at);
		oldest.add(message);
	});
	return { contents, oldest: oldest.take() };
}

const sum = (messages: Message[]) => messages.reduce((total, { bytes }) => total + bytes, 0);

/** As many from the start as together hold `bytes`. */
function firstOf(messages: Message[], bytes: number): Message[] {
	let held = 0;
	const enough = messages.findIndex((each) => held >= bytes || ((held += each.bytes), false));
	return enough < 0 ? messages : messages.slice(0, enough);
}

/** Removes deliveries that were begun and never ended. Answers how many. */
export async function removeAbandoned(mailbox: Mailbox, now: number): Promise<number> {
	let removed = 0;
	await eachFolder(mailbox, async (_, at) => {
		await withDirectoryIfThere(join(at, 'tmp'), async (inside) => {
			for await (const { name } of await entriesOf(inside)) {
				if (removed >= mostAtOnce) break;
				if (await isAbandoned(join(inside, name), now)) {
					await unlink(join(inside, name));
					removed += 1;
				}
			}
		});
	});
	return removed;
}

async function isAbandoned(path: string, now: number): Promise<boolean> {
	try {
		const state = await lstat(path);
		return state.isFile() && now - state.mtimeMs > abandonedAfterMs;
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return false;
		throw error;
	}
}
