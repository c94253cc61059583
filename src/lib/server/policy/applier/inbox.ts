import { closeSync, constants, fstatSync, openSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { UserError } from '../../core/errors.ts';
import { damaged } from './lines.ts';
import { requestLimits } from './request.ts';

/**
 * The directory in which the web process lays its requests. That process owns it and may change it at any moment, so no
 * path is walked twice: each part is opened from the one before (openat(2), by /proc/self/fd), and no link is followed.
 */
export interface Inbox {
	/** The numbers of the requests that wait, the lowest first. */
	list(): number[];
	/** Opens a request and takes it out. @throws UserError request-damaged when it is not what the panel writes. */
	take(number: number): Promise<FileHandle>;
	close(): void;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
const isRequest = /^[1-9][0-9]{0,15}$/;

/** Undefined when there is none yet. @param owner user id of the web process */
export function openInbox(path: string, owner: number): Inbox | undefined {
	const base = openBelow(path.split('/').filter(Boolean));
	if (base === undefined) return undefined;
	const requests = openPart(base, 'requests');
	if (requests === undefined) {
		closeSync(base);
		return undefined;
	}
	const close = () => [base, requests].forEach((each) => closeSync(each));
	try {
		for (const each of [base, requests]) assertOwned(each, owner);
	} catch (error) {
		close();
		throw error;
	}
	return { list: () => list(base, requests), take: (number) => take({ base, requests }, number, owner), close };
}

const at = (directory: number, name: string) => `/proc/self/fd/${directory}/${name}`;

function openBelow(parts: string[]): number | undefined {
	let directory = openSync('/', O_RDONLY | O_DIRECTORY);
	for (const part of parts) {
		const next = openPart(directory, part);
		closeSync(directory);
		if (next === undefined) return undefined;
		directory = next;
	}
	return directory;
}

function openPart(directory: number, name: string): number | undefined {
	try {
		return openSync(at(directory, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
		throw unusable('a part of its path is a link or no directory');
	}
}

function assertOwned(directory: number, owner: number): void {
	const { uid, mode } = fstatSync(directory);
	if (uid !== owner) throw unusable('it belongs to somebody else');
	if ((mode & 0o022) !== 0) throw unusable('others can write it');
}

/** What has no name of a request goes, so that it does not start the applier for ever. */
function list(base: number, requests: number): number[] {
	const names = readdirSync(at(requests, '.'));
	for (const name of names) if (!isRequest.test(name)) discard(base, requests, name);
	return names
		.filter((name) => isRequest.test(name))
		.map(Number)
		.sort((a, b) => a - b);
}

function discard(base: number, requests: number, name: string): void {
	for (const remove of [unlinkSync, rmdirSync]) {
		try {
			remove(at(requests, name));
			return;
		} catch {
			// The next way; a directory that is not empty is moved out of the way.
		}
	}
	try {
		renameSync(at(requests, name), at(base, `refused-${process.pid}-${Date.now()}`));
	} catch {
		// Its owner was faster.
	}
}

async function take(
	{ base, requests }: { base: number; requests: number },
	number: number,
	owner: number
): Promise<FileHandle> {
	const path = at(requests, String(number));
	let file: FileHandle;
	try {
		// Opening a FIFO would wait for its writer; O_NONBLOCK does not (open(2)).
		file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	} catch {
		discard(base, requests, String(number));
		throw damaged('is no file that can be opened');
	}
	discard(base, requests, String(number));
	try {
		const { uid, size, nlink } = await file.stat().then((state) => {
			if (!state.isFile()) throw damaged('is no regular file');
			return state;
		});
		if (uid !== owner) throw damaged('belongs to somebody else');
		// Taken out by now: whoever holds it under another name made that name himself.
		if (nlink > 0) throw damaged('has more than one name');
		if (size > requestLimits.packed) throw damaged('is larger than any that the panel writes');
		return file;
	} catch (error) {
		await file.close();
		throw error;
	}
}

function unusable(what: string): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		`The applier's inbox is not used: ${what}. Nothing was changed. Make it a directory of the panel's user, mode 0700.`,
		{ reason: 'inbox-unusable' }
	);
}
