import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { EnvError, readEnv } from '../lib/server/core/env.ts';
import type { Env } from '../lib/server/core/env.ts';
import { createLog } from '../lib/server/core/log.ts';
import type { Log } from '../lib/server/core/log.ts';
import { backup } from './backup.ts';
import { exit, parseCommand, UsageError } from './command.ts';
import type { Command, Exit, Tool } from './command.ts';
import { doctor } from './doctor.ts';
import { explain } from './failure.ts';
import { commandHelp, overview } from './help.ts';
import type { Nouns } from './help.ts';
import { importFile } from './imports.ts';
import { policy } from './policy.ts';
import { restore } from './restore.ts';
import { suppression } from './suppression.ts';
import { tokens } from './tokens.ts';
import { users } from './users.ts';

/** One word each; they open the panel themselves, if at all. */
const tools: Record<string, Tool> = { backup, restore };
/** One word each, on an open panel. */
const words: Record<string, Command> = { import: importFile, doctor };
const nouns: Nouns = { users, tokens, policy, suppression };
const singles = { ...words, ...tools };

const print = (line: string) => void process.stdout.write(`${line}\n`);
const complain = (text: string) => void process.stderr.write(`${text}\n`);

async function main(args: string[]): Promise<Exit> {
	const [noun = 'help', verb = '', ...rest] = args;
	const asksHelp = noun === 'help' || args.includes('--help') || args.includes('-h');
	const word = noun === 'help' ? verb : noun;
	if (Object.hasOwn(singles, word)) return runSingle(word, args.slice(1), asksHelp);
	if (noun === 'help' || noun === '--help' || noun === '-h') return help(verb, rest[0] ?? '');
	if (asksHelp) return help(noun, verb.startsWith('-') ? '' : verb);
	const command = find(noun, verb);
	if (command === undefined) {
		complain(`There is no such command.\n\n${overview(nouns, singles)}`);
		return exit.wrongInput;
	}
	return run(command, rest, `kumomta-ui help ${noun} ${verb}`);
}

async function runSingle(word: string, args: string[], asksHelp: boolean): Promise<Exit> {
	const command = Object.hasOwn(words, word) ? words[word] : undefined;
	const tool = Object.hasOwn(tools, word) ? tools[word] : undefined;
	const helpCommand = `kumomta-ui help ${word}`;
	if (!asksHelp && command !== undefined) return run(command, args, helpCommand);
	if (!asksHelp && tool !== undefined) return runTool(tool, args, helpCommand);
	const known = command ?? tool;
	if (known !== undefined) print(commandHelp(word, '', known));
	return exit.ok;
}

function find(noun: string, verb: string): Command | undefined {
	const verbs = Object.hasOwn(nouns, noun) ? nouns[noun] : undefined;
	return verbs !== undefined && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
}

function help(noun: string, verb: string): Exit {
	const command = find(noun, verb);
	const isKnown = noun === '' || (Object.hasOwn(nouns, noun) && verb === '');
	print(
		command === undefined
			? noun === '' || !isKnown
				? overview(nouns, singles)
				: overview({ [noun]: nouns[noun] ?? {} }, {})
			: commandHelp(noun, verb, command)
	);
	return command !== undefined || isKnown ? exit.ok : exit.wrongInput;
}

async function run(command: Command, args: string[], helpCommand: string): Promise<Exit> {
	const requestId = `cli-${randomUUID()}`;
	const log = createLog('warn').with({ requestId });
	try {
		const parsed = parseCommand(command, args);
		const env = readEnv(process.env);
		assertPanel(env);
		// Only now: help and wrong input answer at once, without the database's code.
		const { openApp } = await import('../lib/server/app.ts');
		const { createCaller } = await import('../lib/server/router.ts');
		const app = await openApp(env, { log });
		try {
			const actor = `cli:${process.getuid?.() ?? 'unknown'}`;
			const caller = { actor, name: actor, userId: null, sessionId: null };
			return await command.run({ app, caller, api: createCaller(app, caller, requestId), print, ...parsed });
		} finally {
			app.close();
		}
	} catch (error) {
		return failed(error, { log, requestId, helpCommand });
	}
}

async function runTool(tool: Tool, args: string[], helpCommand: string): Promise<Exit> {
	const requestId = `cli-${randomUUID()}`;
	const log = createLog('warn').with({ requestId });
	try {
		const env = readEnv(process.env);
		return await tool.run({ env, log, print, assertPanel: () => assertPanel(env), ...parseCommand(tool, args) });
	} catch (error) {
		return failed(error, { log, requestId, helpCommand });
	}
}

function failed(
	error: unknown,
	{ log, requestId, helpCommand }: { log: Log; requestId: string; helpCommand: string }
): Exit {
	if (error instanceof UsageError) {
		complain(`${error.message}\nSee: ${helpCommand}`);
		return exit.wrongInput;
	}
	const known = explain(error);
	if (known === null) {
		log.error('command failed', { error });
		complain(`Something went wrong inside kumomta-ui. Report it with the line above (${requestId}).`);
		return exit.bug;
	}
	complain(known.text);
	return known.code;
}

/** A wrong DATA_DIR must not become a new, empty panel. */
function assertPanel({ databaseUrl, dataDir }: Env): void {
	if (!databaseUrl.startsWith('file:') || existsSync(databaseUrl.slice('file:'.length))) return;
	throw new EnvError(
		`There is no panel in ${dataDir}. Nothing was made or changed. Set DATA_DIR to the panel's data directory, or start the panel there first.`
	);
}

const code = await main(process.argv.slice(2));
// Output to a pipe is written later than the exit would come.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
