import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A double of the `kumod` executable: not KumoMTA. It knows `--version`, `--validate` and `--script` and loads no policy. */
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
	/** How `--script` ends. */
	script: number | 'signal' | 'hang';
	/** Milliseconds before it does anything. */
	startsAfterMs: number;
	stdout: string;
	stderr: string;
}

const usual: ExecutableBehaviour = {
	version: '2026.03.04-bb93ecb1',
	validate: 0,
	script: 0,
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

/** Exit code 2 is the answer to arguments that kumod does not know either. */
const program = (behaviourFile: string, callsFile: string) => `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs');
const args = process.argv.slice(2);
appendFileSync(${JSON.stringify(callsFile)}, JSON.stringify(args) + '\\n');
const told = JSON.parse(readFileSync(${JSON.stringify(behaviourFile)}, 'utf8'));
const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
const mode = ['validate', 'script'].find((name) => own.includes('--' + name));
setTimeout(() => {
	if (own[0] === '--version') return console.log('kumod ' + told.version);
	if (mode === undefined || !own.includes('--policy')) return void (process.exitCode = 2);
	readFileSync(own[own.indexOf('--policy') + 1]);
	process.stdout.write(told.stdout);
	process.stderr.write(told.stderr);
	if (told[mode] === 'hang') {
		process.on('SIGTERM', () => {});
		setInterval(() => {}, 1000);
	} else if (told[mode] === 'signal') process.kill(process.pid, 'SIGSEGV');
	else process.exitCode = told[mode];
}, told.startsAfterMs);
`;
