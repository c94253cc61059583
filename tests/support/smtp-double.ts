import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';

/** A double of KumoMTA's SMTP listeners: not KumoMTA. It greets, offers STARTTLS and takes no mail. */
export type SmtpBehaviour = 'greets' | 'no-starttls' | 'silent' | 'hangs-up' | 'refuses' | 'broken-tls';

export interface SmtpDouble {
	port: number;
	/** From the next connection on. */
	behave: (behaviour: SmtpBehaviour) => void;
	close: () => Promise<void>;
}

/** A listener that greets; its behaviour says how it fails. `silent` and `hangs-up` never greet. */
export async function startSmtpDouble(
	initially: SmtpBehaviour,
	certificate?: { key: string; cert: string }
): Promise<SmtpDouble> {
	let behaviour = initially;
	const sockets = new Set<Socket>();
	const server: Server = createTcpServer((socket) => {
		sockets.add(socket);
		socket.on('error', () => {}).on('close', () => sockets.delete(socket));
		if (behaviour === 'silent') return;
		if (behaviour === 'hangs-up') return void socket.end();
		if (behaviour === 'refuses') return void socket.end('421 4.3.0 mta technical difficulties\r\n');
		socket.write('220 mta.example.net KumoMTA\r\n');
		converse(socket, behaviour, certificate);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		port: (server.address() as AddressInfo).port,
		behave: (next) => (behaviour = next),
		close: () =>
			new Promise((resolve) => {
				for (const socket of sockets) socket.destroy();
				server.close(() => resolve());
			})
	};
}

function converse(socket: Socket, behaviour: SmtpBehaviour, certificate?: { key: string; cert: string }): void {
	const isTls = socket instanceof TLSSocket;
	socket.on('data', (part: Buffer) => {
		const line = part.toString('latin1').trim().toUpperCase();
		if (line.startsWith('EHLO')) {
			const starttls = behaviour === 'no-starttls' || isTls ? '' : '250-STARTTLS\r\n';
			socket.write(`250-mta.example.net\r\n${starttls}250 PIPELINING\r\n`);
		} else if (line === 'STARTTLS') {
			socket.removeAllListeners('data');
			socket.write('220 ready\r\n', () => {
				if (behaviour === 'broken-tls') return void socket.end('not tls at all');
				const secure = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(certificate) });
				secure.on('error', () => {});
				converse(secure, behaviour);
			});
		} else if (line === 'QUIT') socket.end('221 bye\r\n');
		else socket.write('502 the double does not know this\r\n');
	});
}
