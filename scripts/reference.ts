import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { appRouter } from '../src/lib/server/router.ts';

/** Writes docs/reference/api.md from the procedures themselves; a test holds the file to it. */

interface Procedure {
	_def: { query?: true; meta?: { open?: true }; inputs: z.ZodType[]; output: z.ZodType };
}

interface Schema {
	type?: string | string[];
	properties?: Record<string, Schema>;
	required?: string[];
	items?: Schema;
	anyOf?: Schema[];
	oneOf?: Schema[];
	enum?: unknown[];
	const?: unknown;
	default?: unknown;
	minLength?: number;
	maxLength?: number;
	minimum?: number;
	maximum?: number;
	minItems?: number;
	maxItems?: number;
}

export function apiReference(): string {
	const procedures = Object.entries(appRouter._def.procedures as unknown as Record<string, Procedure>);
	const sections = procedures
		.toSorted(([a], [b]) => (a < b ? -1 : 1))
		.map(([path, procedure]) => section(path, procedure));
	return `# API reference

Generated from the procedures by \`npm run reference\`. Call them with tRPC at \`/trpc\` (plain JSON, no transformer) and
\`Authorization: Bearer <token>\`. Ids are strings, times are integer milliseconds UTC, unknown input fields are refused. A POST
needs \`content-type: application/json\`; large query inputs belong in few, small calls, since a request line holds 16 KB.

${sections.join('\n')}`;
}

function section(path: string, { _def }: Procedure): string {
	const input = _def.inputs[0];
	const kind = `${_def.query ? 'query' : 'mutation'}${_def.meta?.open ? ', open to everybody' : ''}`;
	return [
		`## ${path}`,
		'',
		`${kind}.`,
		'',
		'**Input**',
		'',
		...shape(input && json(input, 'input')),
		'',
		'**Output**',
		'',
		...shape(json(_def.output, 'output')),
		''
	].join('\n');
}

const json = (schema: z.ZodType, io: 'input' | 'output') =>
	z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' }) as Schema;

function shape(schema: Schema | undefined): string[] {
	const fields = schema === undefined ? [] : fieldsOf(schema, '');
	return fields.length > 0 ? fields : ['Nothing.'];
}

/** One list entry a field, nested fields by their path. */
function fieldsOf(schema: Schema, path: string): string[] {
	const variants = (schema.anyOf ?? schema.oneOf ?? []).filter((each) => each.properties);
	if (variants.length > 1)
		return variants.flatMap((each, index) => [`- *${index === 0 ? 'either' : 'or'}*`, ...fieldsOf(each, path)]);
	const object = schema.properties ? schema : variants[0];
	return Object.entries(object?.properties ?? {}).flatMap(([name, field]) => {
		const full = path === '' ? name : `${path}.${name}`;
		const optional = object?.required?.includes(name) ? '' : ', optional';
		return [`- \`${full}\`: ${typeOf(field)}${optional}`, ...nested(field, full)];
	});
}

function nested(field: Schema, path: string): string[] {
	const candidates = [field, ...(field.anyOf ?? []), ...(field.oneOf ?? [])];
	const list = candidates.find(({ items }) => items?.properties ?? items?.anyOf);
	if (list?.items) return fieldsOf(list.items, `${path}[]`);
	const object = candidates.find(({ properties }) => properties);
	return object ? fieldsOf(object, path) : [];
}

function typeOf(field: Schema): string {
	if (field.const !== undefined) return `\`${JSON.stringify(field.const)}\``;
	if (field.enum) return field.enum.map((value) => `\`${JSON.stringify(value)}\``).join(' or ');
	const variants = field.anyOf ?? field.oneOf;
	if (variants) return [...new Set(variants.map(typeOf))].join(' or ');
	const type = Array.isArray(field.type) ? field.type.join(' or ') : (field.type ?? 'any');
	if (type === 'array')
		return `list of ${field.items ? typeOf(field.items) : 'any'}${limits(field.minItems, field.maxItems, 'entries')}`;
	if (type === 'string') return `text${limits(field.minLength, field.maxLength, 'characters')}`;
	const isBounded = Math.abs(field.maximum ?? 0) < Number.MAX_SAFE_INTEGER;
	if (type === 'integer' || type === 'number')
		return `${type}${isBounded ? limits(field.minimum, field.maximum, '') : limits(field.minimum === Number.MIN_SAFE_INTEGER ? undefined : field.minimum, undefined, '')}${field.default === undefined ? '' : `, default ${JSON.stringify(field.default)}`}`;
	return type;
}

function limits(least: number | undefined, most: number | undefined, unit: string): string {
	const at = [least ? `at least ${least}` : '', most === undefined ? '' : `at most ${most}`].filter(Boolean).join(', ');
	return at === '' ? '' : ` (${at}${unit && ` ${unit}`})`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
	writeFileSync(join(import.meta.dirname, '../docs/reference/api.md'), apiReference());
