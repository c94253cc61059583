import { createHmac, randomUUID } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { parseAddressList } from './address-list.ts';
import { createConnections } from './connections.ts';
import { unstructured } from './header-text.ts';
import { isNetwork } from './network.ts';
import { fromHex, toHex, withoutNulls } from './wire.ts';

/** What the double may be told about the world outside. */
export interface World {
	/** KumoMTA's version; default 2026.03.04. */
	version?: string;
	/** Destination domains that have MX records; default all. */
	hasMx?: (domain: string) => boolean;
	/** The provider that shaping data names for a destination. */
	provider?: (domain: string) => string | undefined;
	/** Whether a file is there; undefined: look. A file that is only said to be there is never read. */
	hasFile?: (path: string) => boolean | undefined;
}

export type Header = [name: string, value: string];

/** Unfolded header fields of a message; what follows the first empty line is its body. */
export function parseHeaders(raw: string): Header[] {
	const head = raw.split(/\r?\n\r?\n/, 1)[0] ?? '';
	const fields = head.replace(/\r?\n(?=[ \t])/g, '').split(/\r?\n/);
	return fields.flatMap((field): Header[] => {
		const colon = field.indexOf(':');
		return colon < 1 ? [] : [[field.slice(0, colon).trim(), field.slice(colon + 1).trim()]];
	});
}

function isReadable(path: string): boolean {
	try {
		accessSync(path, constants.R_OK);
		return true;
	} catch {
		return false;
	}
}

/** A clock and buckets of its own: no check depends on the time of day. */
export class Clock {
	seconds = 1_800_000_000;
	private readonly buckets = new Map<string, { tokens: number; at: number }>();

	/** @param spec `<count>/<unit>`: a burst of `count`, refilled evenly over one unit. */
	isThrottled(name: string, spec: string): boolean {
		const [count = '', unit = ''] = spec.split('/');
		const period = {
			s: 1,
			sec: 1,
			second: 1,
			m: 60,
			min: 60,
			minute: 60,
			h: 3600,
			hr: 3600,
			hour: 3600,
			d: 86_400,
			day: 86_400
		}[unit];
		if (period === undefined) throw new Error(`invalid throttle ${spec}`);
		const limit = Number(count);
		const bucket = this.buckets.get(name) ?? { tokens: limit, at: this.seconds };
		const tokens = Math.min(limit, bucket.tokens + ((this.seconds - bucket.at) * limit) / period);
		this.buckets.set(name, { tokens: tokens < 1 ? tokens : tokens - 1, at: this.seconds });
		return tokens < 1;
	}
}

export interface DoubleHost {
	functions: Record<string, unknown>;
	close: () => void;
}

/** The JavaScript side of the double. Binary and client text cross as hex: the bridge cuts strings at NUL. */
export function createHost(clock: Clock, world: World): DoubleHost {
	const connections = createConnections();
	const isThere = (path: string) => world.hasFile?.(path) ?? isReadable(path);
	const mayRead = (path: string) => world.hasFile?.(path) === undefined && isReadable(path);
	const functions = {
		version: world.version ?? '2026.03.04-bb93ecb1',
		now: () => clock.seconds,
		random: () => randomUUID().replaceAll('-', ''),
		throttle: (name: string, spec: string) => clock.isThrottled(name, spec),
		hmac: (key: string, message: string) =>
			createHmac('sha256', Buffer.from(key, 'hex')).update(Buffer.from(message, 'hex')).digest('hex'),
		sqlite: connections.select,
		sqlite_open: connections.open,
		sqlite_close: connections.close,
		toml_load: (path: string) => withoutNulls(parse(readFileSync(path, 'utf8'))),
		json_load: (path: string) => withoutNulls(JSON.parse(readFileSync(path, 'utf8'))),
		json_encode: (value: unknown) => JSON.stringify(value),
		json_parse: (hex: string) => withoutNulls(JSON.parse(fromHex(hex))),
		read_file: (path: string) => (mayRead(path) ? readFileSync(path).toString('hex') : undefined),
		is_readable: isThere,
		is_network: isNetwork,
		has_mx: (domain: string) => world.hasMx?.(domain) ?? true,
		provider: (domain: string) => world.provider?.(domain),
		parse_headers: (hex: string) => parseHeaders(fromHex(hex)).map(([name, value]) => [toHex(name), toHex(value)]),
		unstructured: (hex: string) => toHex(unstructured(fromHex(hex))),
		parse_addresses: (hex: string) => {
			const list = parseAddressList(fromHex(hex));
			if (list === null) return { problem: 'no address' };
			const { count, isGroup, user, domain, email } = list;
			return { count, is_group: isGroup, user: toHex(user), domain: toHex(domain), email: toHex(email) };
		},
		report_kind: (hex: string) =>
			/^multipart\/report\b.*;\s*report-type="?(delivery-status|feedback-report)"?/i
				.exec(fromHex(hex))?.[1]
				?.toLowerCase()
	};
	return {
		functions,
		close: connections.closeAll
	};
}
