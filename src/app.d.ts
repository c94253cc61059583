import type { IncomingMessage } from 'node:http';
import type { App as PanelApp } from '$lib/server/app';

declare global {
	namespace App {
		interface Locals {
			app: PanelApp;
		}
		interface Platform {
			/** Node's request; server.ts leaves the client's address and the request id on it. */
			req: IncomingMessage & { clientAddress?: string; requestId?: string };
		}
	}
}

export {};
