import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';

/** The configuration of the process, read once from environment variables; README lists them. */
export interface Env {
	host: string;
	port: number;
	/** Where browsers reach the panel, e.g. `https://mta.example.net`; derived from host and port when not set. */
	origin: string;
	dataDir: string;
	/** `file:` and the absolute path of the embedded database, or `libsql://`, `http://`, `https://` of a libSQL server. */
	databaseUrl: string;
	databaseAuthToken: string | undefined;
	/**
	 * Absolute; `etc/` below it holds the policy, DKIM keys and TLS files. With an applier it is a mirror below the data
	 * directory, which KumoMTA does not read.
	 */
	kumomtaRoot: string;
	/** Absolute; where KumoMTA itself reads. The same as `kumomtaRoot`, except with an applier. */
	systemRoot: string;
	/** A process of root does what needs rights; undefined: this process does everything itself. */
	applier: ApplierPlaces | undefined;
	/** Absolute; the mail of bounce accounts lies below it, `<account id>/{cur,new,tmp}`. */
	mailRoot: string;
	/** Absolute; Dovecot's configuration lies in it. */
	dovecotEtc: string;
	/** Absolute path of dovecot; undefined when it is not installed, not this sandbox's, or the applier's to touch. */
	dovecotBin: string | undefined;
	/** Where mail programs connect, both with implicit TLS. */
	imapPort: number;
	pop3Port: number;
	/** Absolute path of kumod; undefined when it is not installed. */
	kumodBin: string | undefined;
	/** Base URL of KumoMTA's HTTP API. */
	kumodApi: string;
	/** Addresses of the proxies whose X-Forwarded-For is believed. */
	trustedProxies: string[];
	logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export interface ApplierPlaces {
	/** Absolute; requests are written here, in its directory `requests`. */
	inbox: string;
	/** Absolute and root's; what the applier answers lies here. */
	results: string;
}

/** A variable that stops the start: the message names it and says what it must be. */
export class EnvError extends Error {
	override name = 'EnvError';
}

/** It stands in Lua, TOML and a program's arguments: nothing there needs quoting. */
const isPlainPath = (path: string) => isAbsolute(path) && /^[A-Za-z0-9._/-]+$/.test(path);
const plainPath = 'an absolute path of letters, digits, dots, dashes, underscores and slashes';

/** `file:panel.db`, `file:/srv/panel.db`, `file:///srv/panel.db`: a name in memory, parameters and escapes are not taken. */
const fileUrl = /^file:(?:\/\/(?:localhost)?(?=\/))?(?!\/\/|:)([^%#?\p{Cc}]*[^%#?\p{Cc}/])$/u;
/** Without a user or token in it: a URL may stand in a message. */
const serverUrl = /^(?:libsql|https?):\/\/[^\s/?#@]+(?:\/[^\s?#]*)?(?:\?tls=[01])?$/;

const variables = z.object({
	HOST: z.string().min(1).default('127.0.0.1').describe('an address or name to listen on'),
	PORT: z.coerce.number().int().min(0).max(65_535).default(9000).describe('a port number from 0 to 65535'),
	ORIGIN: z
		.url({ protocol: /^https?$/ })
		.optional()
		.describe('the address browsers use, like https://mta.example.net'),
	DATA_DIR: z
		.string()
		.min(1)
		// It becomes a part of a URL.
		.refine((path) => !/[%#?\p{Cc}]/u.test(path))
		.optional()
		.describe('a directory without %, # and ? in its name'),
	DATABASE_URL: z
		.string()
		.refine((url) => fileUrl.test(url) || serverUrl.test(url))
		.transform((url) => absoluteFile(url) ?? url)
		.optional()
		.describe(
			'file: and the path of a file without %, # and ?, or the libsql://, http:// or https:// address of a libSQL server, whose token stands in DATABASE_AUTH_TOKEN'
		),
	DATABASE_AUTH_TOKEN: z
		.string()
		.trim()
		.regex(/^[\x21-\x7e]+$/)
		.optional()
		.describe('the token of the libSQL server, in one line'),
	KUMOMTA_ROOT: z.string().refine(isPlainPath).optional().describe(plainPath),
	MAIL_ROOT: z.string().refine(isPlainPath).optional().describe(plainPath),
	DOVECOT_ETC: z.string().refine(isPlainPath).optional().describe(plainPath),
	DOVECOT_BIN: z.string().refine(isPlainPath).optional().describe('the absolute path of dovecot'),
	IMAP_PORT: z.coerce.number().int().min(1).max(65_535).default(993).describe('a port number from 1 to 65535'),
	POP3_PORT: z.coerce.number().int().min(1).max(65_535).default(995).describe('a port number from 1 to 65535'),
	APPLIER_DIR: z.string().refine(isPlainPath).optional().describe(plainPath),
	APPLIER_RESULTS: z.string().refine(isPlainPath).default('/var/lib/kumomta-ui-applier').describe(plainPath),
	KUMOD_BIN: z.string().refine(isAbsolute).optional().describe('the absolute path of kumod'),
	KUMOD_API: z
		.url({ protocol: /^https?$/ })
		.default('http://127.0.0.1:8000')
		.describe('the base URL of KumoMTA’s HTTP API'),
	TRUSTED_PROXY: z
		.string()
		.default('')
		.transform((text) =>
			text
				.split(',')
				.map((part) => part.trim())
				.filter(Boolean)
		)
		.refine((addresses) => addresses.every((address) => isIP(address) !== 0))
		.describe('IP addresses of proxies, separated by commas'),
	LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('debug, info, warn or error')
});

/** Where the distributions' packages put it; a sandbox never meets the system's Dovecot unless it is told to. */
const findDovecot = () => ['/usr/sbin/dovecot'].find((path) => existsSync(path));

function absoluteFile(url: string): string | undefined {
	const path = fileUrl.exec(url)?.[1];
	return path === undefined ? undefined : `file:${resolve(path)}`;
}

/**
 * Reads and checks the environment.
 * @throws EnvError naming the first variable that is wrong and what it must be; never its value.
 */
export function readEnv(source: Record<string, string | undefined>): Env {
	const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
	const parsed = variables.safeParse(given);
	if (!parsed.success) {
		const name = String(parsed.error.issues[0]?.path[0] ?? '') as keyof typeof variables.shape;
		const wanted = variables.shape[name]?.description ?? 'something else';
		throw new EnvError(
			`The environment variable ${name} is not usable: it must be ${wanted}. Nothing was started. Correct it and start again.`
		);
	}
	const values = parsed.data;
	const dataDir = resolve(values.DATA_DIR ?? 'data');
	const mirror = join(dataDir, 'kumomta');
	const { APPLIER_DIR: inbox, APPLIER_RESULTS: results } = values;
	const systemRoot = values.KUMOMTA_ROOT ?? (inbox || existsSync('/opt/kumomta') ? '/opt/kumomta' : mirror);
	const kumomtaRoot = inbox === undefined ? systemRoot : mirror;
	if (!isPlainPath(kumomtaRoot) || !isPlainPath(systemRoot))
		throw new EnvError(
			`The environment variable KUMOMTA_ROOT is not set, and the data directory has a name that KumoMTA's files cannot hold. Nothing was started. Set KUMOMTA_ROOT, or DATA_DIR, to ${plainPath}.`
		);
	const isSystem = systemRoot === '/opt/kumomta';
	return {
		host: values.HOST,
		port: values.PORT,
		origin: new URL(
			values.ORIGIN ?? `http://${isIP(values.HOST) === 6 ? `[${values.HOST}]` : values.HOST}:${values.PORT}`
		).origin,
		dataDir,
		databaseUrl: values.DATABASE_URL ?? `file:${join(dataDir, 'panel.db')}`,
		databaseAuthToken: values.DATABASE_AUTH_TOKEN,
		kumomtaRoot,
		systemRoot,
		applier: inbox === undefined ? undefined : { inbox, results },
		mailRoot: values.MAIL_ROOT ?? (isSystem ? '/var/mail/kumomta' : join(systemRoot, 'mail')),
		dovecotEtc: values.DOVECOT_ETC ?? (isSystem ? '/etc/dovecot' : join(systemRoot, 'dovecot')),
		dovecotBin:
			inbox === undefined
				? (values.DOVECOT_BIN ?? (isSystem || values.DOVECOT_ETC !== undefined ? findDovecot() : undefined))
				: undefined,
		imapPort: values.IMAP_PORT,
		pop3Port: values.POP3_PORT,
		kumodBin: values.KUMOD_BIN ?? [join(systemRoot, 'sbin/kumod')].find((path) => existsSync(path)),
		kumodApi: values.KUMOD_API.replace(/\/+$/, ''),
		trustedProxies: values.TRUSTED_PROXY,
		logLevel: values.LOG_LEVEL
	};
}
