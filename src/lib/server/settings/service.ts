import { eq } from 'drizzle-orm';
import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { UserError, versionMoved, withConstraint } from '../core/errors.ts';
import { given } from '../core/inputs.ts';
import { Secret } from '../core/secret.ts';
import type { settingsItem, updateSettings } from './inputs.ts';
import { settings } from './tables.ts';

type Row = typeof settings.$inferSelect;
export type Settings = z.infer<typeof settingsItem>;

/** What a new installation starts with. */
const initial = {
	id: 1,
	hostname: null,
	listeners: null,
	relayHosts: [],
	relayHostsOverride: [],
	tlsName: null,
	defaultPoolId: null,
	campaignHeader: null,
	httpApi: 'trusted',
	httpApiPassword: null,
	resolvers: [],
	logs: { directory: '/var/log/kumomta', maxSegmentSeconds: 10, retentionDays: 30 },
	spool: { directory: '/var/spool/kumomta', kind: 'RocksDB', minFreePercent: 10 },
	monitorGlobs: [],
	watchSeconds: 60,
	confirmListeners: false,
	aiProvider: null,
	aiBaseUrl: null,
	aiModel: null,
	aiApiKey: null,
	aiApiKeySetAt: null,
	updatedAt: 0,
	version: 1
} satisfies Row;

export async function getSettings(db: DbOrTransaction): Promise<Settings> {
	return itemOf(await getSettingsRow(db));
}

/** The stored row with its sealed columns, for the features that use them. */
export async function getSettingsRow(db: DbOrTransaction): Promise<Row> {
	const [row] = await db.select().from(settings).where(eq(settings.id, 1)).limit(1);
	return row ?? initial;
}

export async function update(app: App, input: z.infer<typeof updateSettings>): Promise<Settings> {
	return withConstraint(
		{
			foreignKey: () =>
				new UserError('BAD_REQUEST', 'This pool does not exist any more. Choose another.', {
					reason: 'no-such-pool',
					field: 'defaultPoolId'
				})
		},
		() =>
			app.db.transaction(async (tx) => {
				const row = await getSettingsRow(tx);
				if (input.version !== undefined && input.version !== row.version) throw versionMoved('page of settings');
				const next = { ...row, ...changed(app, row, input), updatedAt: app.clock(), version: row.version + 1 };
				await tx.insert(settings).values(next).onConflictDoUpdate({ target: settings.id, set: next });
				return itemOf(next);
			})
	);
}

function changed(app: App, row: Row, input: z.infer<typeof updateSettings>): Partial<Row> {
	const { version: _, tls, ai, ...plain } = input;
	assertDistinctListeners(plain.listeners ?? []);
	return {
		...given(plain),
		...(tls !== undefined && { tlsName: tls?.name ?? null }),
		...(ai !== undefined && aiColumns(app, row, ai)),
		...(plain.httpApi === 'credential' && row.httpApiPassword === null && { httpApiPassword: newApiPassword(app) })
	};
}

function assertDistinctListeners(listeners: { address: string; port: number }[]): void {
	const seen = new Set<string>();
	for (const [index, { address, port }] of listeners.entries()) {
		const key = `${address} ${port}`;
		if (seen.has(key))
			throw new UserError('BAD_REQUEST', 'Another listener already uses this address and port.', {
				reason: 'duplicate-listener',
				field: `listeners.${index}.port`
			});
		seen.add(key);
	}
}

/** A changed base URL must not carry the old key to another server: the key has to be entered again. */
function aiColumns(app: App, row: Row, ai: NonNullable<z.infer<typeof updateSettings>['ai']> | null): Partial<Row> {
	if (ai === null) return { aiProvider: null, aiBaseUrl: null, aiModel: null, aiApiKey: null, aiApiKeySetAt: null };
	const baseUrl = ai.baseUrl === undefined ? row.aiBaseUrl : ai.baseUrl;
	const moves = row.aiApiKey !== null && (ai.provider !== row.aiProvider || baseUrl !== row.aiBaseUrl);
	if (moves && ai.apiKey === undefined) {
		throw new UserError(
			'BAD_REQUEST',
			'The provider or address changed: enter the key again, so that the stored one is not sent somewhere else.',
			{ reason: 'key-needed', field: 'ai.apiKey' }
		);
	}
	return {
		aiProvider: ai.provider,
		aiBaseUrl: baseUrl,
		...(ai.model !== undefined && { aiModel: ai.model }),
		...(ai.apiKey !== undefined && {
			aiApiKey: ai.apiKey === null ? null : app.keys.panel.seal(ai.apiKey, 'settings.ai.apiKey'),
			aiApiKeySetAt: ai.apiKey === null ? null : app.clock()
		})
	};
}

/** 192 random bits: verified by KumoMTA with one hash per call. */
function newApiPassword(app: App): string {
	return app.keys.panel.seal(new Secret(randomBytes(24).toString('base64url')), 'settings.httpApi.password');
}

function itemOf(row: Row): Settings {
	return {
		hostname: row.hostname,
		listeners: row.listeners,
		relayHosts: row.relayHosts,
		relayHostsOverride: row.relayHostsOverride,
		tls: row.tlsName === null ? null : { name: row.tlsName },
		defaultPoolId: row.defaultPoolId,
		campaignHeader: row.campaignHeader,
		httpApi: row.httpApi,
		resolvers: row.resolvers,
		logs: row.logs,
		spool: row.spool,
		monitorGlobs: row.monitorGlobs,
		watchSeconds: row.watchSeconds,
		confirmListeners: row.confirmListeners,
		ai:
			row.aiProvider === null
				? null
				: {
						provider: row.aiProvider,
						baseUrl: row.aiBaseUrl,
						model: row.aiModel,
						apiKey: { isSet: row.aiApiKey !== null, setAt: row.aiApiKeySetAt }
					},
		updatedAt: row.updatedAt === 0 ? null : row.updatedAt,
		version: row.version
	};
}
