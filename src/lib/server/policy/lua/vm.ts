import { readFileSync } from 'node:fs';
import { LuaFactory } from 'wasmoon';
import { assetPath } from '../../core/assets.ts';
import { Clock, createHost } from './host.ts';
import type { Header, World } from './host.ts';
import { fromHex, toHex } from './wire.ts';

/** A `kumo.reject` or `kumo.disconnect`. */
export interface Rejection {
	code: number;
	text: string;
	disconnect: 'If421' | 'ForceDisconnect';
}

/** What an event answered: a value (undefined for none), a rejection, or an error, which KumoMTA answers with 421. */
export type Outcome =
	{ kind: 'value'; value: unknown } | { kind: 'rejected'; rejection: Rejection } | { kind: 'failed'; error: string };

export type Argument =
	| { kind: 'text' | 'address'; value: string }
	| { kind: 'data'; value: unknown }
	/** A log record; absent members are what KumoMTA has no value for. */
	| { kind: 'record'; value: Record<string, unknown> }
	| { kind: 'connection' | 'message'; value: number }
	| { kind: 'none' };

export interface MessageView {
	id: string;
	meta: Record<string, unknown>;
	/** `over_sign`: a header added later breaks the signature. */
	signatures: { domain: string; selector: string; key: string; headers: string[]; over_sign: boolean }[];
	headers: Header[];
	/** How often the sender's overall rate delayed it. */
	delays: number;
	/** KumoMTA's own name of its queue; absent in the double, which leaves naming to its reader. */
	queue?: string;
}

export interface NewMessage {
	sender: string;
	recipients: readonly string[];
	headers: readonly Header[];
	meta?: Record<string, unknown>;
	id?: string;
}

/** What `kumo.inject_message` was given. */
export interface Injected {
	sender: string;
	recipients: string[];
	queue: string;
	meta: Record<string, unknown>;
	data: Buffer;
}

export interface Observed {
	hmacs: number;
	failed: boolean;
	logs: string[];
	printed: string[];
	memoKeys: string[];
	/** How often each label of `kumo.time.start_timer` was counted. */
	timed: Record<string, number>;
}

/** A revision running in a Lua of its own. Calls are synchronous; `close` frees it. */
export interface Policy {
	call: (event: string, ...args: Argument[]) => Outcome;
	newConnection: (meta: Record<string, unknown>) => number;
	newMessage: (message: NewMessage) => number;
	/** The message of one recipient of a transaction. */
	splitMessage: (message: number, recipient: string) => number;
	viewMessage: (message: number) => MessageView;
	connectionMeta: (connection: number) => Record<string, unknown>;
	setConnectionMeta: (connection: number, name: string, value: string) => void;
	/** Parameters of each call of a configuring function, like `start_esmtp_listener`. */
	configured: (name: string) => Record<string, unknown>[];
	/** Counters and records, for tests. */
	observed: () => Observed;
	/** What was injected since the last call. */
	takeInjected: () => Injected[];
	events: () => Record<string, number>;
	clock: Clock;
	/** Runs a Lua chunk inside the revision's Lua; for tests of the double itself. */
	evaluate: (chunk: string) => unknown;
	close: () => void;
}

/** A policy that KumoMTA would not load. The message has KumoMTA's positions. */
export class PolicyLoadError extends Error {}

/** Milliseconds that one call may take before it counts as endless. */
const callTimeout = 10_000;

// One factory per worker: compiling the wasm anew for each check costs seven milliseconds.
let factory: LuaFactory | undefined;
let sources: string[] | undefined;

const partNames = [
	'double-core.lua',
	'double-message.lua',
	'double-values.lua',
	'double-schemas.lua',
	'double-kumo.lua'
] as const;

function doubleSources(): string[] {
	sources ??= partNames.map((name) => readFileSync(assetPath(name), 'utf8'));
	return sources;
}

const plain = (value: unknown): unknown =>
	value instanceof Map ? Object.fromEntries([...value].map(([key, member]) => [String(key), plain(member)])) : value;

const list = <T>(value: unknown): T[] => (Array.isArray(value) ? value : []) as T[];
const record = (value: unknown) => (Array.isArray(value) ? {} : (value ?? {})) as Record<string, unknown>;

function encoded(argument: Argument): Record<string, unknown> {
	if (argument.kind === 'text' || argument.kind === 'address')
		return { kind: argument.kind, value: toHex(argument.value) };
	if (argument.kind === 'record') return { kind: argument.kind, value: hexed(argument.value) };
	return argument;
}

function hexed(value: unknown): unknown {
	if (typeof value === 'string') return toHex(value);
	if (Array.isArray(value)) return value.map(hexed);
	if (typeof value !== 'object' || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, hexed(member)]));
}

const given = ({ sender, recipients, headers, meta, id }: NewMessage) => ({
	sender: toHex(sender),
	recipients: recipients.map(toHex),
	headers: headers.map(([name, value]) => [toHex(name), toHex(value)]),
	...(meta === undefined ? {} : { meta }),
	...(id === undefined ? {} : { id })
});

/** Loads the revision in this directory, as the two lines of init.lua do. @throws PolicyLoadError */
export async function openPolicy(
	directory: string,
	world: World = {},
	limits: { maxMemoryMb?: number } = {}
): Promise<Policy> {
	if (!/^[A-Za-z0-9._/-]+$/.test(directory))
		throw new PolicyLoadError('A revision directory has a name that may not stand in Lua.');
	return openChunk(
		`KUMOMTA_UI_REVISION_DIRECTORY = '${directory}' dofile(KUMOMTA_UI_REVISION_DIRECTORY .. '/program.lua')`,
		world,
		limits
	);
}

/** Loads any policy, as kumod loads the file that `--policy` names. @throws PolicyLoadError */
export async function openChunk(
	chunk: string,
	world: World = {},
	{ maxMemoryMb }: { maxMemoryMb?: number } = {}
): Promise<Policy> {
	factory ??= new LuaFactory();
	const limits = { functionTimeout: callTimeout, traceAllocations: maxMemoryMb !== undefined };
	const engine = await factory.createEngine({ enableProxy: false, ...limits });
	if (maxMemoryMb !== undefined) engine.global.setMemoryMax(maxMemoryMb * 1_048_576);
	const clock = new Clock();
	const host = createHost(clock, world);
	const close = () => {
		host.close();
		engine.global.close();
	};
	engine.global.set('HOST', host.functions);
	for (const source of doubleSources()) engine.doStringSync(source);
	try {
		engine.doStringSync(chunk);
	} catch (error) {
		close();
		throw new PolicyLoadError(error instanceof Error ? error.message : 'The policy can not be loaded.');
	}
	const evaluate = (text: string): unknown => engine.doStringSync(text);
	return { ...callsOf(evaluate('return DOUBLE.bridge()') as Bridge), clock, close, evaluate };
}

type Bridge = Record<string, (...args: unknown[]) => unknown>;

function callsOf(bridge: Bridge): Omit<Policy, 'clock' | 'close' | 'evaluate'> {
	const run = (name: string, ...args: unknown[]): unknown => {
		const found = bridge[name];
		if (found === undefined) throw new Error(`The double lacks ${name}.`);
		return found(...args);
	};
	return {
		call: (event, ...args) => outcomeOf(record(run('call', event, args.map(encoded), args.length))),
		newConnection: (meta) => Number(run('new_connection', meta)),
		newMessage: (message) => Number(run('new_message', given(message))),
		splitMessage: (message, recipient) => Number(run('split', message, toHex(recipient))),
		viewMessage: (message) => viewOf(record(run('view_message', message))),
		connectionMeta: (connection) => record(run('connection_meta', connection)),
		setConnectionMeta: (connection, name, value) => void run('set_connection_meta', connection, name, toHex(value)),
		configured: (name) => list<Record<string, unknown>>(run('configured', name)),
		observed: () => {
			const seen = record(run('observed'));
			return {
				hmacs: Number(seen.hmacs),
				failed: seen.failed === true,
				logs: list<string>(seen.logs),
				printed: list<string>(seen.printed),
				memoKeys: list<string>(seen.memo_keys).map(fromHex),
				timed: record(seen.timed) as Record<string, number>
			};
		},
		takeInjected: () => list<Record<string, unknown>>(run('take_injected')).map(injectedOf),
		events: () => record(plain(run('registered'))) as Record<string, number>
	};
}

function injectedOf({ sender, recipients, queue, meta, data }: Record<string, unknown>): Injected {
	return {
		sender: fromHex(String(sender)),
		recipients: list<string>(recipients)
			.map(fromHex)
			.filter((each) => each !== ''),
		queue: fromHex(String(queue)),
		meta: record(meta),
		data: Buffer.from(String(data), 'hex')
	};
}

function outcomeOf(answer: Record<string, unknown>): Outcome {
	if (answer.ok === true) return { kind: 'value', value: answer.value };
	if (answer.reject !== undefined) return { kind: 'rejected', rejection: answer.reject as Rejection };
	return { kind: 'failed', error: String(answer.error) };
}

function viewOf(view: Record<string, unknown>): MessageView {
	return {
		id: String(view.id),
		meta: record(view.meta),
		signatures: list(view.signatures),
		headers: list<[string, string]>(view.headers).map(([name, value]) => [fromHex(name), fromHex(value)]),
		delays: Number(view.delays)
	};
}
