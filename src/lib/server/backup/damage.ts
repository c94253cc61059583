import { UserError } from '../core/errors.ts';

/** A backup that is not what it must be; nothing outside the staging directory has been touched when this is thrown. */
export function refused(reason: string, what: string, todo: string): UserError {
	return new UserError('PRECONDITION_FAILED', `${what} Nothing was restored or changed. ${todo}`, { reason });
}

export function damaged(what: string): UserError {
	return refused('backup-damaged', `The backup is damaged or was changed: ${what}.`, 'Take another copy of the file.');
}
