import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endpoints } from '../src/lib/server/kumod/endpoints.ts';

/**
 * Writes tests/fixtures/kumod-openapi.json: of KumoMTA's published OpenAPI description (docs/reference/kumod.openapi.json in
 * its repository) only the endpoints that the panel calls, without its texts.
 * Usage: node scripts/openapi-fixture.mjs <kumod.openapi.json>
 */
const words = new Set(['description', 'summary', 'example', 'tags', 'operationId']);

/** @param {unknown} value @returns {unknown} */
function withoutWords(value) {
	if (Array.isArray(value)) return value.map(withoutWords);
	if (value === null || typeof value !== 'object') return value;
	const kept = Object.entries(value).filter(([key, inner]) => !words.has(key) || isObject(inner));
	return Object.fromEntries(kept.map(([key, inner]) => [key, withoutWords(inner)]));
}

/** A field may be named like a word: then it has a schema, which is an object. @param {unknown} value */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const source = process.argv[2];
if (source === undefined) throw new Error('Usage: node scripts/openapi-fixture.mjs <kumod.openapi.json>');
/** @type {{ info: { version: string }, paths: Record<string, Record<string, unknown>>, components: { schemas: Record<string, unknown> } }} */
const { info, paths, components } = JSON.parse(readFileSync(source, 'utf8'));
const used = Object.fromEntries(
	Object.values(endpoints).map(({ method, path }) => {
		const key = method.toLowerCase();
		return [path, { [key]: withoutWords(paths[path]?.[key] ?? null) }];
	})
);
const named = [...JSON.stringify(used).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name ?? '');
const schemas = Object.fromEntries(named.map((name) => [name, withoutWords(components.schemas[name] ?? null)]));
const origin = `Derived from KumoMTA's published OpenAPI description, version ${info.version}; made by scripts/openapi-fixture.mjs`;
const target = join(import.meta.dirname, '../tests/fixtures/kumod-openapi.json');
writeFileSync(target, `${JSON.stringify({ origin, paths: used, schemas }, null, '\t')}\n`);
