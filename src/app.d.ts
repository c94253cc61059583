declare global {
	namespace App {
		interface Platform {
			/** Node's request; server.ts leaves the client's address and the request id on it. */
			req: import('node:http').IncomingMessage & { clientAddress?: string; requestId?: string };
		}
	}
}

export {};
