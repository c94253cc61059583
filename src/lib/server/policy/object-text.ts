import { openPair } from './pair.ts';

const tables = { domain: 'domain', sender: 'sender', 'bounce-account': 'mailbox' } as const;

/** An object of a directory as a person knows it. */
export interface ObjectName {
	scope: keyof typeof tables;
	/** Its name or address. */
	key: string;
}

/** Null on the side where the object is not. */
export interface ObjectPair {
	was: string | null;
	now: string | null;
}

const verifier = new Set(['salt', 'hash', 'iterations']);

/** One object of two directories as JSON, a field a line; its verifier is said to be there, never shown. */
export function objectTexts(was: string | null, now: string, { scope, key }: ObjectName): ObjectPair {
	const db = openPair(was, now);
	try {
		const read = (side: 'was' | 'now') =>
			(db.prepare(`SELECT value FROM ${side}.${tables[scope]} WHERE key = ?`).get(key) as { value: string } | undefined)
				?.value;
		const [before, after] = [read('was'), read('now')];
		const isSame = passwordOf(before) === passwordOf(after);
		return { was: shown(before, 'not shown'), now: shown(after, isSame ? 'not shown' : 'not shown, changed') };
	} finally {
		db.close();
	}
}

function passwordOf(text: string | undefined): string {
	const { salt, hash, iterations } = JSON.parse(text ?? '{}') as Record<string, unknown>;
	return JSON.stringify([salt, hash, iterations]);
}

function shown(text: string | undefined, password: string): string | null {
	if (text === undefined) return null;
	const fields = Object.entries(JSON.parse(text) as Record<string, unknown>);
	const rest = fields.filter(([name]) => !verifier.has(name));
	const hasPassword = fields.some(([name]) => name === 'hash');
	return `${JSON.stringify(Object.fromEntries(hasPassword ? [...rest, ['password', password]] : rest), null, '\t')}\n`;
}
