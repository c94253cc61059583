import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A double of the `kumod` executable: not KumoMTA. It knows `--version`, `--validate`, which loads no policy, and
 * `--script`, which runs the policy's `main` in the panel's Lua 5.4, with the double of KumoMTA's interfaces.
 */
export interface KumodExecutableDouble {
	/** Path of the executable. */
	bin: string;
	/** Arguments of every call, in order. */
	calls(): string[][];
	/** What the next calls do. */
	set(behaviour: Partial<ExecutableBehaviour>): void;
}

interface ExecutableBehaviour {
	version: string;
	/** How `--validate` ends: its exit code; `signal`: it crashes; `hang`: never, and it ignores SIGTERM. */
	validate: number | 'signal' | 'hang';
	/** How `--script` ends; `run`: as the policy does, which alone is run. */
	script: number | 'signal' | 'hang' | 'run';
	/** The policy is run all the same, and only so many of its lines come out before `script` happens. */
	scriptLines: number | null;
	/** Domains that DNS does not know. */
	withoutMx: string[];
	/** Milliseconds before it does anything. */
	startsAfterMs: number;
	stdout: string;
	stderr: string;
}

const usual: ExecutableBehaviour = {
	version: '2026.03.04-bb93ecb1',
	validate: 0,
	script: 'run',
	scriptLines: null,
	withoutMx: [],
	startsAfterMs: 0,
	stdout: '',
	stderr: ''
};

/** Where Lua sees an error, in each form that kumod prints: `path:12:`, `[string "…"]:12:`, and both cut to 60 characters. */
export const positionForms = {
	file: (path: string, line: number) => `${chunkOfFile(path)}:${line}: attempt to index a nil value`,
	policy: (path: string, line: number) => `${chunkOfPolicy(path)}:${line}: unexpected symbol near '}'`
};

/** LUA_IDSIZE, with the ending zero (Lua 5.4, luaconf.h). */
const idSize = 60;

/** A chunk named `@path` keeps its end (Lua 5.4, luaO_chunkid). */
function chunkOfFile(path: string): string {
	return path.length < idSize ? path : `...${path.slice(-(idSize - 4))}`;
}

/** A chunk whose name is the bare path keeps its start. */
function chunkOfPolicy(path: string): string {
	const room = idSize - '[string "..."]'.length - 1;
	return path.length < room ? `[string "${path}"]` : `[string "${path.slice(0, room)}..."]`;
}

export function makeKumodExecutableDouble(directory: string): KumodExecutableDouble {
	const bin = join(directory, 'kumod');
	const [behaviourFile, callsFile] = [join(directory, 'kumod.behaviour.json'), join(directory, 'kumod.calls')];
	let behaviour = usual;
	const set = (changes: Partial<ExecutableBehaviour>) => {
		behaviour = { ...behaviour, ...changes };
		writeFileSync(behaviourFile, JSON.stringify(behaviour));
	};
	set({});
	writeFileSync(bin, program(behaviourFile, callsFile));
	chmodSync(bin, 0o755);
	const calls = () =>
		existsSync(callsFile)
			? readFileSync(callsFile, 'utf8')
					.trim()
					.split('\n')
					.map((line) => JSON.parse(line) as string[])
			: [];
	return { bin, calls, set };
}

const policyDouble = new URL('../../src/lib/server/policy/lua/vm.ts', import.meta.url).href;

/** Exit code 2 is the answer to arguments that kumod does not know either. */
const program = (behaviourFile: string, callsFile: string) => `#!${process.execPath} --no-warnings
const { appendFileSync, readFileSync } = require('node:fs');
const args = process.argv.slice(2);
appendFileSync(${JSON.stringify(callsFile)}, JSON.stringify(args) + '\\n');
const told = JSON.parse(readFileSync(${JSON.stringify(behaviourFile)}, 'utf8'));
const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
const mode = ['validate', 'script'].find((name) => own.includes('--' + name));

async function runPolicy(text) {
	const { openChunk } = await import(${JSON.stringify(policyDouble)});
	const policy = await openChunk(text, { hasMx: (domain) => !told.withoutMx.includes(domain) });
	const words = args.slice(own.length + 1).map((value) => ({ kind: 'text', value }));
	const outcome = policy.call('main', ...words);
	const lines = policy.observed().printed.slice(0, told.scriptLines ?? undefined);
	process.stdout.write(lines.map((line) => line + '\\n').join(''));
	if (outcome.kind !== 'value') throw new Error(outcome.error ?? outcome.rejection.text);
}

setTimeout(async () => {
	if (own[0] === '--version') return console.log('kumod ' + told.version);
	if (mode === undefined || !own.includes('--policy')) return void (process.exitCode = 2);
	const text = readFileSync(own[own.indexOf('--policy') + 1], 'utf8');
	process.stdout.write(told.stdout);
	process.stderr.write(told.stderr);
	if (mode === 'script' && (told.script === 'run' || told.scriptLines !== null)) {
		try {
			await runPolicy(text);
		} catch (error) {
			process.stderr.write('Error: ' + error.message + '\\n');
			process.exitCode = 1;
		}
	}
	if (told[mode] === 'run') return;
	if (told[mode] === 'hang') {
		process.on('SIGTERM', () => {});
		setInterval(() => {}, 1000);
	} else if (told[mode] === 'signal') process.kill(process.pid, 'SIGSEGV');
	else process.exitCode = told[mode];
}, told.startsAfterMs);
`;
