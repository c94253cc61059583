import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endpoints } from '../src/lib/server/kumod/endpoints.ts';

/**
 * Writes tests/fixtures/kumod-openapi.json: of KumoMTA's published OpenAPI description (docs/reference/kumod.openapi.json in
 * its repository) only the endpoints that the panel calls, without its texts.
 * Usage: node scripts/openapi-fixture.ts <kumod.openapi.json>
 */
type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const words = new Set(['description', 'summary', 'example', 'tags', 'operationId']);

function withoutWords(value: Json): Json {
	if (Array.isArray(value)) return value.map(withoutWords);
	if (value === null || typeof value !== 'object') return value;
	const kept = Object.entries(value).filter(([key, inner]) => !words.has(key) || typeof inner === 'object');
	return Object.fromEntries(kept.filter(([key]) => key !== 'tags').map(([key, inner]) => [key, withoutWords(inner)]));
}

interface OpenApi {
	info: { title: string; version: string };
	paths: Record<string, Record<string, Json>>;
	components: { schemas: Record<string, Json> };
}

const source = process.argv[2];
if (source === undefined) throw new Error('Usage: node scripts/openapi-fixture.ts <kumod.openapi.json>');
const { info, paths, components } = JSON.parse(readFileSync(source, 'utf8')) as OpenApi;
const used = Object.fromEntries(
	Object.values(endpoints).map(({ method, path }) => {
		const key = method.toLowerCase();
		return [path, { [key]: withoutWords(paths[path]?.[key] ?? null) }];
	})
);
const named = [...JSON.stringify(used).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name ?? '');
const schemas = Object.fromEntries(named.map((name) => [name, withoutWords(components.schemas[name] ?? null)]));
const origin = `Derived from KumoMTA's published OpenAPI description, version ${info.version}; made by scripts/openapi-fixture.ts`;
const target = join(import.meta.dirname, '../tests/fixtures/kumod-openapi.json');
writeFileSync(target, `${JSON.stringify({ origin, paths: used, schemas }, null, '\t')}\n`);
