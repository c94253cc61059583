import { UserError } from '../core/errors.ts';

const irregular = {
	reason: 'not-a-regular-file',
	what: 'it is not a regular file',
	todo: 'Look at it, move it away and try again.'
};

const sentences: Record<string, { reason: string; what: string; todo: string }> = {
	ENOSPC: { reason: 'disk-full', what: 'the disk is full', todo: 'Free some space and try again.' },
	EDQUOT: { reason: 'disk-full', what: 'the disk quota is used up', todo: 'Free some space and try again.' },
	EACCES: { reason: 'no-permission', what: 'the panel may not write there', todo: 'Correct its owner and mode.' },
	EPERM: { reason: 'no-permission', what: 'the panel may not do this there', todo: 'Correct its owner and mode.' },
	EROFS: { reason: 'no-permission', what: 'the file system is read-only', todo: 'Mount it writable and try again.' },
	EIO: { reason: 'disk-error', what: 'the disk reports an error', todo: 'Look at the system log for the disk.' },
	ELOOP: {
		reason: 'symbolic-link',
		what: 'there is a symbolic link where the panel needs a file of its own',
		todo: 'Look where it leads, remove the link and try again.'
	},
	EEXIST: { reason: 'file-exists', what: 'a file is there already', todo: 'Look at it, move it away and try again.' },
	EFBIG: {
		reason: 'file-too-large',
		what: 'it is larger than it can be',
		todo: 'Look at it, move it away and try again.'
	},
	/** A FIFO, a directory or a device; a socket cannot even be opened (ENXIO, open(2)). */
	EFTYPE: irregular,
	ENXIO: irregular,
	ENOTDIR: { reason: 'not-a-directory', what: 'it is not a directory', todo: 'Move it away and try again.' },
	ENOENT: { reason: 'file-missing', what: 'it is not there', todo: 'Look whether somebody removed it.' }
};

/** The errno error of a file operation in words. Anything unknown stays as it is: a bug with a reference number. */
export function explained(error: unknown, path: string): unknown {
	if (error instanceof UserError) return error;
	const known = sentences[errnoOf(error) ?? ''];
	if (known === undefined) return error;
	const message = `${path} cannot be used: ${known.what}. What was live before is still live. ${known.todo}`;
	return new UserError('PRECONDITION_FAILED', message, { reason: known.reason });
}

export function errnoOf(error: unknown): string | undefined {
	const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
	return typeof code === 'string' ? code : undefined;
}
