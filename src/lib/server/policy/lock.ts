import { chmodSync, existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { UserError } from '../core/errors.ts';
import type { PolicyRoots } from './roots.ts';

export interface LockHolder {
	actor: string;
	since: number;
	pid: number;
}

const holderFile = z.object({ actor: z.string().max(300), since: z.int(), pid: z.int() });

/**
 * The one lock over applies of this machine, whoever starts them: an exclusive transaction on a database file of its own.
 * The kernel releases it with the process. No code may open that file in another way: closing any descriptor of it drops
 * the POSIX lock of the whole process.
 * @returns the function that releases it.
 * @throws UserError CONFLICT apply-running naming who holds it and since when.
 */
export function takeLock(roots: PolicyRoots, holder: LockHolder): () => void {
	if (lstatSync(roots.lock, { throwIfNoEntry: false })?.isSymbolicLink()) throw linkInPlaceOfLock(roots.lock);
	const database = openLock(roots.lock);
	try {
		database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
	} catch (error) {
		database.close();
		if ((error as { errcode?: number }).errcode === 5) throw applyRunning(readHolder(roots));
		throw error;
	}
	try {
		writeFileSync(roots.lockHolder, JSON.stringify(holder), { mode: 0o600 });
	} catch {
		// Who holds the lock is courtesy to the one who waits; the lock itself stands.
	}
	return () => database.close();
}

/** Whether an apply runs now, here or in another process; takes nothing. */
export function isLocked(roots: PolicyRoots): boolean {
	if (!existsSync(roots.lock)) return false;
	try {
		takeLock(roots, { actor: 'job:look', since: 0, pid: process.pid })();
		return false;
	} catch (error) {
		if (error instanceof UserError && error.detail.reason === 'apply-running') return true;
		throw error;
	}
}

function openLock(path: string): DatabaseSync {
	const isNew = !existsSync(path);
	const database = new DatabaseSync(path);
	if (isNew) chmodSync(path, 0o600);
	return database;
}

function readHolder(roots: PolicyRoots): LockHolder | undefined {
	try {
		return holderFile.parse(JSON.parse(readFileSync(roots.lockHolder, 'utf8')));
	} catch {
		return undefined;
	}
}

function applyRunning(holder: LockHolder | undefined): UserError {
	const who = holder ? ` by ${holder.actor} since ${new Date(holder.since).toISOString()}` : '';
	return new UserError(
		'CONFLICT',
		`Another apply is running${who}. This one was not started. Wait until it is finished, then look at the changes again.`,
		{ reason: 'apply-running' }
	);
}

function linkInPlaceOfLock(path: string): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		`${path} is a symbolic link. Nothing was written. Remove it and try again.`,
		{
			reason: 'symbolic-link'
		}
	);
}
