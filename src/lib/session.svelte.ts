import { browser } from '$app/environment';

const storageKey = 'kumomta-ui.session';

export interface StoredSession {
	token: string;
	/** Milliseconds UTC. */
	expiresAt: number;
	user: { id: string; email: string };
}

/** The signed-in session of this browser, kept in localStorage and followed across tabs. */
class Session {
	current = $state<StoredSession | null>(browser ? readStored(localStorage.getItem(storageKey)) : null);

	constructor() {
		if (!browser) return;
		window.addEventListener('storage', (event) => {
			if (event.key === storageKey || event.key === null) this.current = readStored(event.newValue);
		});
	}

	remember(session: StoredSession): void {
		localStorage.setItem(storageKey, JSON.stringify(session));
		this.current = session;
	}

	forget(): void {
		localStorage.removeItem(storageKey);
		this.current = null;
	}
}

/** What is stored, unless it is damaged or has expired. */
export function readStored(text: string | null, now = Date.now()): StoredSession | null {
	if (text === null) return null;
	try {
		const { token, expiresAt, user } = JSON.parse(text) as Partial<StoredSession>;
		const isWhole = typeof token === 'string' && typeof expiresAt === 'number' && typeof user?.email === 'string';
		return isWhole && expiresAt > now ? { token, expiresAt, user } : null;
	} catch {
		return null;
	}
}

export const session = new Session();

/** Where to sign in and then come back to. Only paths of this panel are kept. */
export function loginPath(url: URL): string {
	const then = url.pathname + url.search;
	return then === '/' ? '/login' : `/login?then=${encodeURIComponent(then)}`;
}

/** The page asked for before signing in; anything that could leave this panel becomes the overview. */
export function pathAfterLogin(url: URL): string {
	const then = url.searchParams.get('then') ?? '/';
	const target = URL.parse(then, url.origin);
	return then.startsWith('/') && target?.origin === url.origin && !target.pathname.startsWith('/login')
		? target.pathname + target.search + target.hash
		: '/';
}
