import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EnvError } from '../core/env.ts';
import { UserError } from '../core/errors.ts';
import { undoExchange } from './exchange.ts';
import { takeRestoreLock } from './lock.ts';

/** Before the panel opens its files: a restore that was cut off is taken back. @throws EnvError while one runs. */
export function undoUnfinishedRestore(dataDir: string): boolean {
	if (!existsSync(join(dataDir, '.restore-plan.json'))) return false;
	const release = lockOrStop(dataDir);
	try {
		return undoExchange(dataDir);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code !== 'EACCES' && code !== 'EPERM') throw error;
		throw new EnvError(
			'A restore was cut off here, and only root can take it back. Nothing was started. Run the restore again as root: it takes back first what was cut off.'
		);
	} finally {
		release();
	}
}

function lockOrStop(dataDir: string): () => void {
	try {
		return takeRestoreLock(dataDir);
	} catch (error) {
		throw error instanceof UserError
			? new EnvError('A restore is running here. Nothing was started. Wait until it has ended, then start again.')
			: error;
	}
}
