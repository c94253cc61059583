import { api } from '$lib/api';
import type { Outputs } from '$lib/api';

type KumomtaStatus = Outputs['kumod']['status'];

/** What the server last found out about KumoMTA; null until it was asked. One for the frame and the pages in it. */
export const kumomta = $state<{ status: KumomtaStatus | null }>({ status: null });

const everyMs = 5000;

/** Asks now and every few seconds while somebody looks; the server answers from what it knows. Call what it returns to end. */
export function followKumomta(): () => void {
	async function ask() {
		if (document.hidden) return;
		try {
			kumomta.status = await api.kumod.status.query();
		} catch {
			// The panel's own server does not answer: each page says so itself, and of KumoMTA nothing new is known.
		}
	}
	void ask();
	const timer = setInterval(() => void ask(), everyMs);
	return () => clearInterval(timer);
}
