/** Calls that a session may make; counted per procedure call, also inside a batch. */
export interface Budget {
	/**
	 * Takes one call of a session, or one try to sign in to an account. Answers 0, or in how many milliseconds the next one
	 * is allowed.
	 */
	spend(key: string, kind: 'query' | 'mutation' | 'loginCheck'): number;
}

interface Bucket {
	tokens: number;
	at: number;
}

const limits = {
	all: { perMinute: 600, burst: 200 },
	mutation: { perMinute: 120, burst: 120 },
	/** Each is a bcrypt of Dovecot's, and a guess. */
	loginCheck: { perMinute: 6, burst: 6 }
};

/** Token buckets in memory: 600 calls a minute with a burst of 200, 120 of them mutations; 6 tries to sign in. */
export function createBudget(clock: () => number): Budget {
	const buckets = new Map<string, Bucket>();

	function take(key: string, { perMinute, burst }: { perMinute: number; burst: number }): number {
		const now = clock();
		const bucket = buckets.get(key) ?? { tokens: burst, at: now };
		bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 60_000) * perMinute);
		bucket.at = now;
		buckets.set(key, bucket);
		if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) * 60_000) / perMinute);
		bucket.tokens -= 1;
		return 0;
	}

	return {
		spend(key, kind) {
			if (buckets.size > 10_000) buckets.clear();
			const wait = take(`all ${key}`, limits.all);
			return wait > 0 || kind === 'query' ? wait : take(`${kind} ${key}`, limits[kind]);
		}
	};
}
