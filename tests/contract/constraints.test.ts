import { readdirSync, readFileSync } from 'node:fs';
import type { InArgs } from '@libsql/client';
import { getTableColumns, getTableName, is } from 'drizzle-orm';
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sqliteCode } from '../../src/lib/server/core/errors.ts';
import { openTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

/** Every constraint of the schema is tried on every kind of connection, so that one that is silently off is noticed. */

type Row = Record<string, string | number | null>;
interface Statement {
	sql: string;
	args: (string | number | null)[];
}

const modules = import.meta.glob<Record<string, unknown>>('../../src/lib/server/*/tables.ts', { eager: true });
const tables = Object.values(modules)
	.flatMap((module) => Object.values(module))
	.filter((each) => is(each, SQLiteTable));
const configs = tables.map((table) => ({ ...getTableConfig(table), name: getTableName(table) }));
type Config = (typeof configs)[number];
const configOf = (name: string) => configs.find((each) => each.name === name)!;

/** What a column needs to pass its table's checks; everything else is made up from its type. */
const allowed: Record<string, Row> = {
	dkim_keys: { state: 'active', algorithm: 'ed25519' },
	senders: { from_policy: 'address', status: 'enabled', limit_count: 1, limit_unit: 'perDay', password_iterations: 1 },
	settings: { id: 1, http_api: 'trusted', watch_seconds: 60 },
	pool_sources: { weight: 1 },
	bounce_accounts: { quota_bytes: 1 },
	feedback_events: { kind: 'bounce' },
	feedback_counts: { kind: 'bounce' },
	health_results: { outcome: 'ok', rights: 'panel' },
	log_reader: { id: 1, state: 'reading' },
	log_segments: { state: 'open' },
	suppressions: { reason: 'manual' },
	suppression_files: { id: 1 },
	suppression_rules: { id: 1 },
	suppression_strikes: { kind: 'soft' }
};

/** One row that each check refuses, by the check's name. */
const refused: Record<string, Row[]> = {
	bounce_accounts_quota: [{ quota_bytes: 0 }, { quota_bytes: -1 }],
	dkim_keys_state: [{ state: 'gone' }],
	dkim_keys_algorithm: [{ algorithm: 'rsa-1024' }],
	feedback_counts_kind: [{ kind: 'other' }],
	feedback_events_kind: [{ kind: 'other' }],
	health_results_outcome: [{ outcome: 'fine' }],
	health_results_rights: [{ rights: 'all' }],
	log_reader_one_row: [{ id: 2 }],
	log_reader_state: [{ state: 'asleep' }],
	log_segments_state: [{ state: 'gone' }],
	pool_sources_weight: [{ weight: -1 }, { weight: 101 }],
	senders_from_policy: [{ from_policy: 'any' }],
	senders_status: [{ status: 'removed' }],
	senders_limit: [{ limit_count: null }, { limit_unit: null }],
	senders_password: [{ password_verifier: null }, { password_salt: null }, { password_iterations: null }],
	settings_one_row: [{ id: 2 }],
	settings_http_api: [{ http_api: 'open' }],
	settings_watch_seconds: [{ watch_seconds: -1 }, { watch_seconds: 601 }],
	suppressions_reason_known: [{ reason: 'gone' }, { reason: '' }],
	suppression_files_one_row: [{ id: 2 }],
	suppression_rules_one_row: [{ id: 2 }],
	suppression_strikes_kind: [{ kind: 'other' }]
};

let count = 0;

/** A row that the schema takes, with the rows that it points at before it. */
function rowsFor(config: Config, changes: Row = {}): { rows: [Config, Row][]; row: Row } {
	const number = ++count;
	const rows: [Config, Row][] = [];
	const row: Row = {};
	for (const column of config.columns) {
		const isText = column.getSQLType() === 'text';
		row[column.name] = isText ? `${config.name}-${column.name}-${number}` : number;
	}
	for (const key of config.foreignKeys) {
		const { columns, foreignTable, foreignColumns } = key.reference();
		const parent = rowsFor(configOf(getTableName(foreignTable)));
		rows.push(...parent.rows);
		row[columns[0]!.name] = parent.row[foreignColumns[0]!.name]!;
	}
	Object.assign(row, allowed[config.name], changes);
	rows.push([config, row]);
	return { rows, row };
}

const insert = ([{ name }, row]: [Config, Row]): Statement => ({
	sql: `INSERT INTO "${name}" (${Object.keys(row)
		.map((each) => `"${each}"`)
		.join(', ')}) VALUES (${Object.keys(row)
		.map(() => '?')
		.join(', ')})`,
	args: Object.values(row)
});
const emptied = configs.map(({ name }) => name);

/** Each way in which the app reaches its database. A run is whole or leaves nothing, but where statements stand alone. */
const connections: Record<string, (app: TestApp, statements: Statement[]) => Promise<unknown>> = {
	'statements alone': async ({ database: { client } }, statements) => {
		for (const each of statements) await client.execute(each);
	},
	'a batch': ({ database: { client } }, statements) => client.batch(statements, 'write'),
	'a transaction': async ({ database: { client } }, statements) => {
		const transaction = await client.transaction('write');
		try {
			for (const each of statements) await transaction.execute(each);
			await transaction.commit();
		} finally {
			transaction.close();
		}
	},
	"a feature's transaction": ({ db }, statements) =>
		db.transaction(async (tx) => {
			for (const { sql: text, args } of statements) {
				const parts = text.split('?').map((part) => sql.raw(part));
				await tx.run(sql.join(parts.flatMap((part, at) => (at < args.length ? [part, sql`${args[at]}`] : [part]))));
			}
		}),
	'a connection opened while others read': async ({ database: { client } }, statements) => {
		const readers = await Promise.all(Array.from({ length: 4 }, () => client.transaction('read')));
		try {
			for (const reader of readers) await reader.execute('SELECT 1');
			await client.batch(statements, 'write');
		} finally {
			for (const reader of readers) reader.close();
		}
	}
};

let app: TestApp;
beforeAll(async () => {
	app = await openTestApp();
	await app.database.client.execute('PRAGMA synchronous = off');
});
afterAll(() => app.close());

const outcome = (run: Promise<unknown>) =>
	run.then(
		() => 'taken',
		(error: unknown) => sqliteCode(error) ?? String(error)
	);

interface Case {
	name: string;
	code: RegExp;
	make: () => Statement[];
}

function cases(): Case[] {
	return configs.flatMap((config) => [
		...uniqueCases(config),
		...foreignCases(config),
		...checkCases(config),
		...config.columns
			.filter(({ notNull, primary }) => notNull && !primary)
			.map((column) => nullCase(config, column.name))
	]);
}

/** Two rows that differ in everything but one set of columns. */
function uniqueCases(config: Config): Case[] {
	const sets = [
		...config.columns.filter(({ isUnique, primary }) => isUnique || primary).map(({ name }) => [name]),
		...config.primaryKeys.map(({ columns }) => columns.map(({ name }) => name)),
		...config.uniqueConstraints.map(({ columns }) => columns.map(({ name }) => name))
	];
	return sets.map((names) => ({
		name: `${config.name}: one row for each ${names.join(' and ')}`,
		code: /^SQLITE_CONSTRAINT_(?:UNIQUE|PRIMARYKEY|ROWID)$/,
		make() {
			const first = rowsFor(config);
			const second = rowsFor(config, Object.fromEntries(names.map((name) => [name, first.row[name]!])));
			return [...first.rows, ...second.rows].map(insert);
		}
	}));
}

function foreignCases(config: Config): Case[] {
	return config.foreignKeys.flatMap((key) => {
		const { columns, foreignTable, foreignColumns } = key.reference();
		const [column, parent] = [columns[0]!.name, getTableName(foreignTable)];
		const dangling = {
			name: `${config.name}.${column}: points at nothing`,
			code: /^SQLITE_CONSTRAINT_FOREIGNKEY$/,
			make: () => rowsFor(config, { [column]: 'nothing' }).rows.map(insert)
		};
		if (key.onDelete === 'cascade') return [dangling];
		const kept = {
			name: `${config.name}.${column}: keeps its row of ${parent}`,
			code: /^SQLITE_CONSTRAINT_(?:FOREIGNKEY|TRIGGER)$/,
			make() {
				const { rows, row } = rowsFor(config);
				const remove = `DELETE FROM "${parent}" WHERE "${foreignColumns[0]!.name}" = ?`;
				return [...rows.map(insert), { sql: remove, args: [row[column]!] }];
			}
		};
		return [dangling, kept];
	});
}

function checkCases(config: Config): Case[] {
	return config.checks.flatMap(({ name }) =>
		(refused[name] ?? []).map((changes) => ({
			name: `${config.name}: ${name} refuses ${JSON.stringify(changes)}`,
			code: /^SQLITE_CONSTRAINT_CHECK$/,
			make: () => rowsFor(config, changes).rows.map(insert)
		}))
	);
}

function nullCase(config: Config, column: string): Case {
	return {
		name: `${config.name}.${column}: is never null`,
		code: /^SQLITE_CONSTRAINT_NOTNULL$/,
		make: () => rowsFor(config, { [column]: null }).rows.map(insert)
	};
}

const all = cases();

/** Children before parents; `change_marks` comes with the migration and is counted up by triggers. */
async function empty(): Promise<void> {
	const statements = emptied
		.filter((name) => name !== 'change_marks')
		.toSorted((a, b) => configOf(b).foreignKeys.length - configOf(a).foreignKeys.length)
		.map((name) => `DELETE FROM "${name}"`);
	await app.database.client.batch(statements, 'write');
}

describe.each(Object.keys(connections))('%s', (kind) => {
	const run = connections[kind]!;

	it.each(configs)('takes a right row of $name', async (config) => {
		await empty();
		expect(await outcome(run(app, rowsFor(config).rows.map(insert)))).toBe('taken');
	});

	it.each(all)('$name', async ({ code, make }) => {
		await empty();
		expect(await outcome(run(app, make()))).toMatch(code);
	});
});

describe('the schema in the database', () => {
	const read = async (text: string, args: InArgs = []) =>
		(await app.database.client.execute({ sql: text, args })).rows as unknown as Row[];

	it('has every constraint that the tables declare, and none that was not tried here', async () => {
		for (const { name, columns, foreignKeys, checks } of configs) {
			const [{ sql: created } = { sql: '' }] = await read('SELECT sql FROM sqlite_master WHERE name = ?', [name]);
			const declared = [...String(created).matchAll(/CONSTRAINT "(\w+)" CHECK/g)].map(([, check]) => check!);
			expect(declared.sort()).toEqual(checks.map((check) => check.name).sort());
			for (const check of declared)
				expect(refused[check]?.length, `${check} needs a row that it refuses`).toBeGreaterThan(0);
			expect(await read('SELECT * FROM pragma_foreign_key_list(?)', [name])).toHaveLength(foreignKeys.length);
			const info = await read('SELECT name FROM pragma_table_info(?) WHERE "notnull" = 1 AND pk = 0', [name]);
			expect(info.map((row) => row.name).sort()).toEqual(
				columns
					.filter(({ notNull, primary }) => notNull && !primary)
					.filter(
						({ name: column }) =>
							!configOf(name).primaryKeys.some((key) => key.columns.some((each) => each.name === column))
					)
					.map((column) => column.name)
					.sort()
			);
			const unique = await read(`SELECT count(*) AS n FROM pragma_index_list(?) WHERE "unique" = 1 AND origin = 'c'`, [
				name
			]);
			expect(unique[0]?.n).toBe(
				columns.filter(({ isUnique }) => isUnique).length + configOf(name).uniqueConstraints.length
			);
		}
	});

	it('has no table that was not tried here', async () => {
		const found = await read(
			`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '%\\_search%' ESCAPE '\\' AND name <> '__drizzle_migrations'`
		);
		expect(found.map(({ name }) => name).sort()).toEqual(configs.map(({ name }) => name).sort());
	});

	it('takes children with their parent where the tables say so', async () => {
		await empty();
		for (const config of configs)
			for (const key of config.foreignKeys.filter(({ onDelete }) => onDelete === 'cascade')) {
				const { columns, foreignTable, foreignColumns } = key.reference();
				const { rows, row } = rowsFor(config);
				await app.database.client.batch(rows.map(insert), 'write');
				const where = `"${foreignColumns[0]!.name}" = ?`;
				await app.database.client.execute({
					sql: `DELETE FROM "${getTableName(foreignTable)}" WHERE ${where}`,
					args: [row[columns[0]!.name]!]
				});
				expect(await read(`SELECT * FROM "${config.name}"`), config.name).toEqual([]);
			}
	});
});

it('every feature with tables is among those that were tried', () => {
	const folders = new URL('../../src/lib/server/', import.meta.url);
	const files = readdirSync(folders, { recursive: true, encoding: 'utf8' }).filter((file) =>
		file.endsWith('tables.ts')
	);
	const declared = files.flatMap((file) => [
		...readFileSync(new URL(file, folders), 'utf8').matchAll(/sqliteTable\(\s*'(\w+)'/g)
	]);
	expect(declared.map(([, name]) => name!).sort()).toEqual(configs.map(({ name }) => name).sort());
	for (const table of tables) expect(Object.keys(getTableColumns(table)).length).toBeGreaterThan(0);
});
