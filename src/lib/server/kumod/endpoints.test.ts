import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startKumodDouble } from '../../../../tests/support/kumod-http-double.ts';
import type { KumodDouble } from '../../../../tests/support/kumod-http-double.ts';
import { endpoints } from './endpoints.ts';

interface ObjectSchema {
	required: string[];
	properties: Record<string, { type: string | string[] }>;
}
interface Operation {
	responses: Record<string, { content?: Record<string, { schema?: { $ref: string } }> }>;
}

const published = JSON.parse(
	readFileSync(join(import.meta.dirname, '../../../../tests/fixtures/kumod-openapi.json'), 'utf8')
) as { origin: string; paths: Record<string, Record<string, Operation>>; schemas: Record<string, ObjectSchema> };

let double: KumodDouble;
beforeAll(async () => void (double = await startKumodDouble()));
afterAll(() => double.close());

function schemaOf(operation: Operation | undefined): ObjectSchema | undefined {
	const name = operation?.responses['200']?.content?.['application/json']?.schema?.$ref.split('/').at(-1);
	return name === undefined ? undefined : published.schemas[name];
}

const typesOf = (schema: { type?: string | string[] | undefined } | undefined) => [schema?.type ?? 'missing'].flat();

/** The panel reads what KumoMTA promises: every field is there, always, and of this type. */
function expectReads(answer: z.ZodType, schema: ObjectSchema | undefined): void {
	const { properties, required } = z.toJSONSchema(answer, { io: 'input' }) as unknown as ObjectSchema;
	for (const [field, read] of Object.entries(properties)) {
		expect(typesOf(schema?.properties[field]), field).toEqual(typesOf(read));
		if (required.includes(field)) expect(schema?.required, field).toContain(field);
	}
}

describe.each(Object.entries(endpoints))('the endpoint %s', (_name, endpoint) => {
	const operation = published.paths[endpoint.path]?.[endpoint.method.toLowerCase()];

	it('is published by KumoMTA', () => {
		expect(operation?.responses['200']).toBeDefined();
	});

	it('has the JSON that is read, or none', () => {
		const schema = schemaOf(operation);
		expect('answer' in endpoint).toBe(schema !== undefined);
		if ('answer' in endpoint) expectReads(endpoint.answer, schema);
	});

	it('is answered by the double as by KumoMTA', async () => {
		const response = await fetch(double.url + endpoint.path, { method: endpoint.method });
		expect(Object.keys(operation?.responses ?? {})).toContain(String(response.status));
		const schema = schemaOf(operation);
		if (schema === undefined) return;
		const parsed = z.fromJSONSchema(schema as unknown as z.core.JSONSchema.JSONSchema).safeParse(await response.json());
		expect(parsed.error?.issues).toBeUndefined();
	});
});

it('is held against a description that says where it comes from', () => {
	expect(published.origin).toMatch(/KumoMTA's published OpenAPI description, version \d{4}\.\d\d\.\d\d-\w+/);
});

it('notices a field that KumoMTA does not promise, or of another type', () => {
	const schema = schemaOf(published.paths['/api/machine-info']?.['get']);
	expect(() => expectReads(z.object({ no_such: z.string() }), schema)).toThrow();
	expect(() => expectReads(z.object({ version: z.number() }), schema)).toThrow();
	expect(() => expectReads(z.object({ kernel_version: z.string() }), schema)).toThrow();
});

it('is refused by the double where the panel has no business', async () => {
	const other = await startKumodDouble();
	expect((await fetch(`${other.url}/api/xfer/inject/v1`, { method: 'POST' })).status).toBe(404);
	await expect(other.close()).rejects.toThrow('/api/xfer/inject/v1');
});
