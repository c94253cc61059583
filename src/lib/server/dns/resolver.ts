import { Resolver } from 'node:dns/promises';
import { UserError } from '../core/errors.ts';

/**
 * What the DNS says. `none` is an answer: the name or the type is not there. `failed` is the lack of one (time-out,
 * SERVFAIL, refusal): nothing may be concluded from it. Text comes from strangers: clean it before it is shown.
 */
export type Answer<T> =
	| { state: 'found'; values: T[] }
	| { state: 'none'; reason: 'no-name' | 'no-data' }
	| { state: 'failed'; reason: 'timeout' | 'server' };

interface MxHost {
	priority: number;
	/** Lower case, without trailing dot; empty for a null MX (RFC 7505). */
	exchange: string;
}

/** Look-ups by full name without trailing dot. They never throw. */
export interface DnsLookup {
	/** TXT records, the strings of each joined without anything between (RFC 7208 3.3); one character a byte. */
	txt(name: string): Promise<Answer<string>>;
	mx(name: string): Promise<Answer<MxHost>>;
	a(name: string): Promise<Answer<string>>;
	aaaa(name: string): Promise<Answer<string>>;
	/** Names behind a name of the reverse tree. */
	ptr(name: string): Promise<Answer<string>>;
}

interface ResolverOptions {
	/** `ip`, `ip:port` or `[ip]:port`; none: those of the system. */
	servers: string[];
	/** For one look-up in all, retries and all servers included. */
	timeoutMs: number;
	/** For all look-ups together, from now on: what starts later answers `failed` at once. */
	totalMs?: number;
	/** Look-ups under way at once; the others wait. */
	parallel?: number;
}

/** Look-ups without any cache of ours. Throws PRECONDITION_FAILED `resolver-unusable` for what is no address of a server. */
export function createResolver({ servers, timeoutMs, totalMs = 20_000, parallel = 16 }: ResolverOptions): DnsLookup {
	const resolver = new Resolver({ timeout: Math.max(100, Math.floor(timeoutMs / 4)), tries: 2 });
	if (servers.length > 0) useServers(resolver, servers);
	const turn = createTurns(parallel);
	const endsAt = performance.now() + totalMs;
	const ask = <T>(work: () => Promise<T[]>) =>
		turn(async (): Promise<Answer<T>> => {
			const leftMs = Math.min(timeoutMs, endsAt - performance.now());
			return leftMs > 0 ? answerOf(work, leftMs) : { state: 'failed', reason: 'timeout' };
		});
	return {
		txt: (name) => ask(async () => (await resolver.resolveTxt(name)).map((strings) => strings.join(''))),
		mx: (name) =>
			ask(async () =>
				(await resolver.resolveMx(name)).map(({ priority, exchange }) => ({ priority, exchange: plain(exchange) }))
			),
		a: (name) => ask(() => resolver.resolve4(name)),
		aaaa: (name) => ask(() => resolver.resolve6(name)),
		ptr: (name) => ask(async () => (await resolver.resolvePtr(name)).map(plain))
	};
}

function useServers(resolver: Resolver, servers: string[]): void {
	try {
		resolver.setServers(servers);
	} catch {
		throw new UserError(
			'PRECONDITION_FAILED',
			'One of the resolvers is no address of a name server. Nothing was looked up. Correct the resolvers in Settings.',
			{ reason: 'resolver-unusable' }
		);
	}
}

const plain = (host: string) => host.toLowerCase().replace(/\.$/, '');

async function answerOf<T>(work: () => Promise<T[]>, timeoutMs: number): Promise<Answer<T>> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<Answer<T>>((resolve) => {
		timer = setTimeout(() => resolve({ state: 'failed', reason: 'timeout' }), timeoutMs);
	});
	try {
		return await Promise.race([settled(work), late]);
	} finally {
		clearTimeout(timer);
	}
}

async function settled<T>(work: () => Promise<T[]>): Promise<Answer<T>> {
	try {
		const values = await work();
		return values.length === 0 ? { state: 'none', reason: 'no-data' } : { state: 'found', values };
	} catch (error) {
		const { code } = error as { code?: string };
		if (code === 'ENOTFOUND') return { state: 'none', reason: 'no-name' };
		if (code === 'ENODATA') return { state: 'none', reason: 'no-data' };
		return { state: 'failed', reason: code === 'ETIMEOUT' ? 'timeout' : 'server' };
	}
}

/** Lets `width` pieces of work run at once, in the order they came. */
function createTurns(width: number) {
	let free = width;
	const waiting: (() => void)[] = [];
	return async <T>(work: () => Promise<T>): Promise<T> => {
		if (free > 0) free -= 1;
		else await new Promise<void>((resolve) => waiting.push(resolve));
		try {
			return await work();
		} finally {
			const next = waiting.shift();
			if (next) next();
			else free += 1;
		}
	};
}
