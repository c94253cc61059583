import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { applierPublicFile, createWholeFile, openApplier } from '../../core/key-files.ts';
import { applierPublicKey, Secret, SealError } from '../../core/secret.ts';
import type { ApplierKey } from '../../core/secret.ts';
import type { Host } from '../../host/host.ts';
import type { Credential } from '../../kumod/http.ts';
import type { Places } from './places.ts';
import type { Records } from './records.ts';
import { credentialPurpose } from './request.ts';

/**
 * The applier's key pair: made once, or taken over from a panel that did everything in one process, so that what was
 * sealed then still opens. The public half is there for the panel to read.
 */
export async function openApplierKey(
	host: Host,
	{ results, closed }: Records,
	{ dataDir }: Pick<Places, 'dataDir'>
): Promise<ApplierKey> {
	const path = join(closed, 'applier.key');
	if (!existsSync(path)) takeOver(join(dataDir, 'applier.key'), path);
	const key = openApplier(path);
	const der = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
	const publicText = `${applierPublicKey(der).toString('base64')}\n`;
	const publicPath = join(results, applierPublicFile);
	if ((await host.files.readText(publicPath, 1000)) !== publicText)
		await host.files.replaceFile(publicPath, publicText, { mode: 0o644 });
	return key;
}

/** Its directory belongs to the web process: a link is not followed, and what is no key is not taken. */
function takeOver(from: string, to: string): void {
	let file: number;
	try {
		file = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	} catch {
		return;
	}
	let text: string;
	try {
		const { size } = fstatSync(file);
		if (!fstatSync(file).isFile() || size > 1000) return;
		text = readFileSync(file, 'utf8');
		applierPublicKey(Buffer.from(text.trim(), 'base64'));
	} catch {
		return;
	} finally {
		closeSync(file);
	}
	createWholeFile(to, text);
	rmSync(from, { force: true });
}

/** KumoMTA's API password, for what the applier does when nobody asks: after a crash, and when a refresh is due. */
export interface CredentialStore {
	read(): Promise<Credential | undefined>;
	/** @param sealed null: KumoMTA asks for none any more. */
	keep(sealed: string | null): Promise<void>;
}

export function credentialStore(host: Host, { closed }: Records, key: ApplierKey): CredentialStore {
	const path = join(closed, 'credential');
	return {
		async read() {
			const text = await host.files.readText(path, 4096);
			return text === undefined ? undefined : { user: 'kumomta-ui', password: new Secret(text) };
		},
		async keep(sealed) {
			if (sealed === null) return host.files.remove(path);
			const password = open(key, sealed);
			if (password !== undefined) await host.files.replaceFile(path, password.open(), { mode: 0o600 });
		}
	};
}

function open(key: ApplierKey, sealed: string): Secret | undefined {
	try {
		const secret = key.open(sealed, credentialPurpose);
		return /^[\x21-\x7e]{1,512}$/.test(secret.open()) ? secret : undefined;
	} catch (error) {
		if (error instanceof SealError) return undefined;
		throw error;
	}
}
