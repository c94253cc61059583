import { parseArgs } from 'node:util';
import type { ParseArgsOptionsConfig } from 'node:util';
import type { App } from '../lib/server/app.ts';
import type { Env } from '../lib/server/core/env.ts';
import type { Log } from '../lib/server/core/log.ts';
import type { Caller } from '../lib/server/core/trpc.ts';
import type { createCaller } from '../lib/server/router.ts';

/** How a command ends; scripts branch on it. */
export const exit = { ok: 0, bug: 1, wrongInput: 2, checkFailed: 3 } as const;
export type Exit = (typeof exit)[keyof typeof exit];

export interface Invocation {
	app: App;
	caller: Caller;
	/** The same procedures that the web panel calls, with the same rules and audit rows. */
	api: ReturnType<typeof createCaller>;
	options: Record<string, string | boolean | (string | boolean)[] | undefined>;
	/** What follows the verb, by the names in `takes`. */
	given: Record<string, string>;
	/** Writes a line to standard output. */
	print: (line: string) => void;
}

/** What a command gets that opens the panel itself, or works without one. */
export interface ToolInvocation extends Pick<Invocation, 'options' | 'given' | 'print'> {
	env: Env;
	log: Log;
	/** @throws EnvError when DATA_DIR holds no panel. */
	assertPanel: () => void;
}

/** A command of one word. */
export interface Tool extends Pick<Command, 'help' | 'takes' | 'options'> {
	run(invocation: ToolInvocation): Promise<Exit>;
}

export interface Option {
	type: 'string' | 'boolean';
	multiple?: true;
	/** What stands for the value in the help. */
	value?: string;
	help: string;
}

export interface Command {
	help: string;
	/** Names of the arguments, all needed. */
	takes: string[];
	options: Record<string, Option>;
	run(invocation: Invocation): Promise<Exit>;
}

/** The command line is wrong: which command's help to show. */
export class UsageError extends Error {
	override name = 'UsageError';
}

/** @throws UsageError naming what is not understood; never a value, which may be a secret in the wrong place. */
export function parseCommand(
	command: Pick<Command, 'options' | 'takes'>,
	args: string[]
): Pick<Invocation, 'options' | 'given'> {
	const options: ParseArgsOptionsConfig = Object.fromEntries(
		Object.entries(command.options).map(([name, { type, multiple }]) => [name, { type, multiple: multiple ?? false }])
	);
	const { values, positionals } = parsed(args, options);
	if (positionals.length !== command.takes.length)
		throw new UsageError(countMessage(command.takes, positionals.length));
	return {
		options: { ...values },
		given: Object.fromEntries(command.takes.map((name, index) => [name, positionals[index] ?? '']))
	};
}

function parsed(args: string[], options: ParseArgsOptionsConfig) {
	try {
		return parseArgs({ args, options, allowPositionals: true, strict: true });
	} catch (error) {
		const name = /'(--?[a-z][a-z-]*)/.exec(error instanceof Error ? error.message : '')?.[1];
		throw new UsageError(
			name === undefined
				? 'An option is not understood.'
				: `The option ${name} is unknown here, or its value is missing or not allowed.`
		);
	}
}

function countMessage(takes: string[], count: number): string {
	const wanted = takes.length === 0 ? 'takes nothing more' : `takes ${takes.map((name) => `<${name}>`).join(' ')}`;
	return `This command ${wanted}; ${count} ${count === 1 ? 'argument was' : 'arguments were'} given.`;
}
