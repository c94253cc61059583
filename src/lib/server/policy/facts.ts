import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import type { Host } from '../host/host.ts';
import type { Facts, TlsFacts } from './check-node.ts';
import type { PolicyRoots } from './roots.ts';

/** What the checks must know of this machine. @param tlsName the directory below `<etc>/tls`, null for none. */
export async function readFacts(host: Host, roots: PolicyRoots, tlsName: string | null): Promise<Facts> {
	const addresses = host.interfaces().map(({ address }) => address);
	if (tlsName === null) return { addresses: addresses.toSorted() };
	return { addresses: addresses.toSorted(), tls: await readTls(host, join(roots.tls, tlsName)) };
}

async function readTls(host: Host, directory: string): Promise<TlsFacts> {
	const unreadable: TlsFacts = { readable: false, keyMatches: false, notAfterAt: 0, names: [] };
	try {
		const chain = await host.files.readText(join(directory, 'fullchain.pem'), 256 * 1024);
		const key = await host.files.readText(join(directory, 'privkey.pem'), 64 * 1024);
		if (chain === undefined || key === undefined) return unreadable;
		const certificate = new X509Certificate(chain);
		return {
			readable: true,
			keyMatches: certificate.checkPrivateKey(createPrivateKey(key)),
			notAfterAt: Date.parse(certificate.validTo),
			names: namesOf(certificate)
		};
	} catch (error) {
		if (error instanceof UserError || isOpenSslError(error)) return unreadable;
		throw error;
	}
}

const isOpenSslError = (error: unknown) =>
	/^ERR_(?:OSSL|CRYPTO|INVALID)/.test(String((error as { code?: unknown }).code));

/** DNS names of the subjectAltName extension (RFC 6125 6.4: the common name is not looked at). */
function namesOf(certificate: X509Certificate): string[] {
	return [...(certificate.subjectAltName ?? '').matchAll(/DNS:([^,\s"]+)/g)].map(([, name = '']) => name.toLowerCase());
}
