import { readFileSync, statSync } from 'node:fs';
import { Secret } from '../lib/server/core/secret.ts';
import { UsageError } from './command.ts';

/** The first line of a file that nobody else can read. */
export function readPassphrase(path: string): Secret {
	const text = readClosed(path).split(/\r?\n/)[0] ?? '';
	if (text.length < 12)
		throw new UsageError('The passphrase has fewer than 12 characters. Nothing was done. Choose a longer one.');
	return new Secret(text);
}

/** The PKCS#8 bytes of a private key file, as `--new-recipient` made it. */
export function readPrivateKey(path: string): Buffer {
	return Buffer.from(readClosed(path).trim(), 'base64');
}

function readClosed(path: string): string {
	try {
		if ((statSync(path).mode & 0o077) !== 0)
			throw new UsageError(`${path} can be read by others. Nothing was done. Run: chmod 600 ${path}`);
		return readFileSync(path, 'utf8');
	} catch (error) {
		if (error instanceof UsageError) throw error;
		throw new UsageError(`${path} cannot be read. Nothing was done. Look at its name and mode.`);
	}
}
