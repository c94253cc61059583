import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { PeerCertificate, TLSSocket } from 'node:tls';

/** `closed`: refused at once. `silent`: nobody said anything in time, as behind a filter. */
export type Reach = 'open' | 'closed' | 'silent';

/** A server's certificate, as it was shown; its text comes from strangers. */
export interface SeenCertificate {
	notAfterAt: number;
	/** Subject alternative names of the kind DNS, lower case. */
	names: string[];
	/** Null when this machine trusts it for the name asked; otherwise OpenSSL's code, like `DEPTH_ZERO_SELF_SIGNED_CERT`. */
	distrust: string | null;
}

/** This machine's own view of a port. Nothing is sent but what TCP and TLS themselves say. */
export interface Network {
	connects(target: { address: string; port: number; timeoutMs: number }): Promise<Reach>;
	/** Undefined when no TLS connection came about. */
	certificate(target: { host: string; port: number; timeoutMs: number }): Promise<SeenCertificate | undefined>;
}

export const network: Network = {
	connects: ({ address, port, timeoutMs }) =>
		new Promise((resolve) => {
			const socket = connectTcp({ host: address, port });
			const end = (reach: Reach) => {
				socket.destroy();
				resolve(reach);
			};
			socket.setTimeout(timeoutMs, () => end('silent'));
			socket.once('connect', () => end('open'));
			socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code === 'ECONNREFUSED' ? 'closed' : 'silent'));
		}),
	certificate: ({ host, port, timeoutMs }) =>
		new Promise((resolve) => {
			// What is wrong with it is to be told, so it is looked at before it is judged.
			const socket = connectTls({ host, port, servername: host, rejectUnauthorized: false });
			const end = (seen: SeenCertificate | undefined) => {
				socket.destroy();
				resolve(seen);
			};
			socket.setTimeout(timeoutMs, () => end(undefined));
			socket.once('secureConnect', () => end(certificateOf(socket)));
			socket.once('error', () => end(undefined));
		})
};

/** What the other side of a TLS connection showed; undefined when it showed nothing. */
export function certificateOf(socket: TLSSocket): SeenCertificate | undefined {
	const shown = socket.getPeerCertificate() as Partial<PeerCertificate>;
	if (shown.valid_to === undefined) return undefined;
	const error = socket.authorizationError as unknown;
	return {
		notAfterAt: Date.parse(shown.valid_to),
		names: [...(shown.subjectaltname ?? '').matchAll(/DNS:([A-Za-z0-9.*_-]+)/g)].map(([, name = '']) =>
			name.toLowerCase()
		),
		distrust: socket.authorized ? null : codeOf(error)
	};
}

/** The code is OpenSSL's and of a fixed alphabet; the sentence beside it may hold the certificate's own text. */
function codeOf(error: unknown): string {
	const code = typeof error === 'string' ? error : (error as NodeJS.ErrnoException | null)?.code;
	return code !== undefined && /^[A-Z_]{3,60}$/.test(code) ? code : 'NOT_TRUSTED';
}
