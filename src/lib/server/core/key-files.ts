import {
	closeSync,
	constants,
	existsSync,
	fsyncSync,
	linkSync,
	mkdirSync,
	openSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { giveToOwnerOf } from './data-owner.ts';
import { applierKey, applierSeal, newApplierKey, panelKey, SealError } from './secret.ts';
import type { ApplierKey, PanelKey } from './secret.ts';

export interface Keys {
	panel: PanelKey;
	applier: ApplierKey;
}

/**
 * Opens `<DATA_DIR>/secret.key` and `applier.key`, making them (0600) at the first start.
 * @param applierResults where an applier says its public key; the private half is then no file of this process.
 * @throws SealError when a key file is there but is not a key: a new one is never put in its place.
 */
export function openKeys(dataDir: string, applierResults?: string): Keys {
	mkdirSync(dataDir, { recursive: true, mode: 0o700 });
	return {
		panel: openPanelKey(join(dataDir, 'secret.key')),
		applier:
			applierResults === undefined
				? openApplier(join(dataDir, 'applier.key'))
				: sealOnly(join(applierResults, applierPublicFile))
	};
}

/** The public half of the applier's key, raw, in base64: all that the panel holds where an applier does what needs rights. */
export const applierPublicFile = 'applier.pub';

/** Reads the file when it is needed: the panel starts without the applier. */
function sealOnly(path: string): ApplierKey {
	const seal = () => {
		const key = existsSync(path) ? Buffer.from(readFileSync(path, 'utf8').trim(), 'base64') : Buffer.alloc(0);
		if (key.length === 32) return applierSeal(key);
		throw new SealError(
			`${path} does not hold the applier's public key. Nothing was changed. Start kumomta-ui-applier.service, which makes it.`
		);
	};
	return {
		get id() {
			return seal().id;
		},
		seal: (secret, purpose) => seal().seal(secret, purpose),
		open() {
			throw new SealError('Only the applier can open this value. Nothing was changed.');
		}
	};
}

export const openPanelKey = (path: string): PanelKey => panelKey(openKeyFile(path, () => randomBytes(32)));

export function openApplier(path: string): ApplierKey {
	const der = openKeyFile(path, newApplierKey);
	try {
		return applierKey(der);
	} catch {
		throw new SealError(
			`${path} does not hold an applier key. Nothing was started. Put the right file back from a backup.`
		);
	}
}

function openKeyFile(path: string, make: () => Buffer): Buffer {
	if (!existsSync(path)) {
		createWholeFile(path, make().toString('base64') + '\n');
		giveToOwnerOf(dirname(path), path);
	}
	const mode = statSync(path).mode & 0o777;
	if (mode & 0o077)
		throw new SealError(
			`${path} can be read by others (mode ${mode.toString(8)}). Nothing was started. Run: chmod 600 ${path}`
		);
	const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
	if (key.length < 32)
		throw new SealError(`${path} is empty or damaged. Nothing was started. Put the right file back from a backup.`);
	return key;
}

/** Written (0600) whole or not at all: a crash between two bytes leaves no half key, and two starts agree on one. */
export function createWholeFile(path: string, text: string): void {
	const temporary = `${path}.${randomBytes(6).toString('hex')}`;
	const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
	const file = openSync(temporary, flags, 0o600);
	try {
		writeFileSync(file, text);
		fsyncSync(file);
		linkSync(temporary, path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
	} finally {
		closeSync(file);
		rmSync(temporary);
	}
	const directory = openSync(dirname(path), constants.O_RDONLY);
	fsyncSync(directory);
	closeSync(directory);
}
