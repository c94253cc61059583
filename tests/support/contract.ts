import { fetchRequestHandler } from '@trpc/server/adapters/fetch';
import { z } from 'zod';
import type { App } from '../../src/lib/server/app.ts';
import type { Caller, Context } from '../../src/lib/server/core/trpc.ts';
import { createGate } from '../../src/lib/server/gate.ts';
import { appRouter } from '../../src/lib/server/router.ts';
import { testUser } from './app.ts';

/** Every procedure, found by walking the router: a new one can't be forgotten. */
export interface Procedure {
	path: string;
	kind: 'query' | 'mutation';
	input: z.ZodType;
	output: z.ZodType;
}

export const procedures: Procedure[] = Object.entries(
	appRouter._def.procedures as unknown as Record<
		string,
		{ _def: { query?: true; inputs: [z.ZodType]; output: z.ZodType } }
	>
).map(([path, { _def }]) => ({
	path,
	kind: _def.query ? 'query' : 'mutation',
	input: _def.inputs[0],
	output: _def.output
}));

/** What stands in JSON, of whatever shape the test expects. */
export type Parsed = ReturnType<typeof JSON.parse>;

/** An answer as it goes over HTTP: what a browser, a proxy or a log of either would see. */
export interface Answer {
	path: string;
	ok: boolean;
	/** The whole body. */
	text: string;
	data: Parsed;
	error: {
		message: string;
		code: string;
		reason?: string;
		fieldErrors: Record<string, string[]>;
		requestId?: string;
		data: Record<string, unknown>;
	};
}

export interface Who {
	local?: Caller | null;
	token?: string | null;
	address?: string;
	/** Sent as it is, instead of the input. */
	body?: string;
}

/** Calls a procedure through tRPC's own HTTP handler, so that errors are formatted as they leave the server. */
export async function callOverHttp(app: App, path: string, input: unknown, who: Who = {}): Promise<Answer> {
	const { local = testUser, token = null, address = '192.0.2.9', body } = who;
	const context: Context = {
		app,
		gate: createGate(app),
		requestId: 'request-of-a-test',
		address,
		userAgent: 'test',
		token,
		local
	};
	const response = await fetchRequestHandler({
		endpoint: '/trpc',
		router: appRouter,
		req: requestOf(path, body ?? (JSON.stringify(input) as string | undefined)),
		createContext: () => context
	});
	return answerOf(path, await response.text());
}

function requestOf(path: string, body: string | undefined): Request {
	const url = `http://panel.test/trpc/${path}`;
	if (procedures.find((each) => each.path === path)?.kind === 'query')
		return new Request(body === undefined ? url : `${url}?input=${encodeURIComponent(body)}`);
	const headers = { 'content-type': 'application/json' };
	return new Request(url, { method: 'POST', headers, ...(body !== undefined && { body }) });
}

function answerOf(path: string, text: string): Answer {
	const { result, error } = JSON.parse(text);
	const { code, reason, fieldErrors = {}, requestId } = error?.data ?? {};
	return {
		path,
		ok: error === undefined,
		text,
		data: result?.data,
		error: { message: error?.message ?? '', code: code ?? '', reason, fieldErrors, requestId, data: error?.data ?? {} }
	};
}

export interface TextField {
	/** Each step is a property, or 0 for the first item of an array. */
	path: (string | 0)[];
	isChoice: boolean;
	isId: boolean;
}

/** Every place of an input where text goes in, found in its schema. */
export function textFieldsOf(input: z.ZodType): TextField[] {
	const found = new Map<string, TextField>();
	walk(z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' }) as Schema, [], (field) =>
		found.set(field.path.join('.'), field)
	);
	return [...found.values()];
}

interface Schema {
	type?: string;
	properties?: Record<string, Schema>;
	items?: Schema;
	enum?: unknown[];
	const?: unknown;
	pattern?: string;
	anyOf?: Schema[];
	allOf?: Schema[];
	oneOf?: Schema[];
	additionalProperties?: boolean | Schema;
}

const idPattern = '^[a-z0-9]{16}$';

function walk(schema: Schema, path: (string | 0)[], take: (field: TextField) => void): void {
	for (const each of [...(schema.anyOf ?? []), ...(schema.allOf ?? []), ...(schema.oneOf ?? [])])
		walk(each, path, take);
	if (typeof schema.additionalProperties === 'object')
		throw new Error(`${path.join('.')}: a map of text needs a test.`);
	for (const [name, property] of Object.entries(schema.properties ?? {})) walk(property, [...path, name], take);
	if (schema.items !== undefined) walk(schema.items, [...path, 0], take);
	if (schema.type !== 'string') return;
	const isChoice = schema.enum !== undefined || schema.const !== undefined;
	take({ path, isChoice, isId: schema.pattern === idPattern });
}

/** The input with one place set to another value; undefined when the input does not have that place. */
export function withValue(input: unknown, [first, ...rest]: (string | 0)[], value: unknown): unknown {
	if (first === undefined) return value;
	if (typeof input !== 'object' || input === null || !(first in input)) return undefined;
	const inner = withValue((input as Record<string, unknown>)[first], rest, value);
	if (inner === undefined) return undefined;
	return Array.isArray(input) ? input.with(Number(first), inner) : { ...input, [first]: inner };
}
