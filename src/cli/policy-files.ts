import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { counted } from '../lib/shared/counted.ts';
import { exit, UsageError } from './command.ts';
import type { Command, Exit, Invocation } from './command.ts';

type Api = Invocation['api'];
type Ends = NonNullable<Parameters<Api['policy']['fileSummary']>[0]>;

export const policyFiles: Record<string, Command> = {
	render: {
		help: 'Writes the files of the pending policy to a new directory, to be looked at. Nothing goes live.',
		takes: ['directory'],
		options: { json: { type: 'boolean', help: 'As JSON.' } },
		run: render
	},
	diff: {
		help: 'Line by line, what an apply would change in the files; or between any two revisions. Secrets are hidden.',
		takes: [],
		options: {
			from: { type: 'string', value: 'revision', help: 'A number, 0 for the policy from before, or pending.' },
			to: { type: 'string', value: 'revision', help: 'The same; unless told: from what is live to what is pending.' },
			'exit-code': { type: 'boolean', help: 'Ends with 3 when there is a difference.' },
			json: { type: 'boolean', help: 'As JSON.' }
		},
		run: diff
	}
};

/** Password verifiers are in the files: nobody else reads them. */
async function render({ app, options, given, print }: Invocation): Promise<Exit> {
	const directory = resolve(given['directory'] ?? '');
	const isThere = existsSync(directory);
	if (isThere && !isEmptyDirectory(directory))
		throw new UsageError(`${directory} is there and not an empty directory. Nothing was written. Name a new one.`);
	const { waitForPending } = await import('../lib/server/policy/service.ts');
	const { closeCompiler } = await import('../lib/server/policy/compile.ts');
	try {
		const pending = await waitForPending(app);
		makeDirectory(directory);
		const revision = `0-${pending.hash.slice(0, 12)}`;
		const { files } = await pending.writeTo(directory, { revision, mode: 0o600 });
		const { hash } = pending;
		pending.release();
		if (options['json'] === true) print(JSON.stringify({ directory, hash, files }));
		else for (const { path } of files) print(join(directory, path));
		return exit.ok;
	} finally {
		await closeCompiler(app);
	}
}

function isEmptyDirectory(path: string): boolean {
	try {
		return readdirSync(path).length === 0;
	} catch {
		return false;
	}
}

function makeDirectory(path: string): void {
	try {
		mkdirSync(path, { recursive: true, mode: 0o700 });
		chmodSync(path, 0o700);
	} catch (error) {
		const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
		throw new UsageError(`${path} cannot be made (${code}). Nothing was written. Name another directory.`);
	}
}

function endOf(value: unknown): number | 'pending' | undefined {
	if (value === undefined || value === 'pending') return value;
	if (typeof value === 'string' && /^\d{1,9}$/.test(value)) return Number(value);
	throw new UsageError('A revision is a number, or pending. Nothing was compared.');
}

async function diff({ api, options, print }: Invocation): Promise<Exit> {
	const [from, to] = [endOf(options['from']), endOf(options['to'])];
	const ends: Ends = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
	const { files } = await api.policy.fileSummary(ends);
	const isJson = options['json'] === true;
	const differing = files.filter(({ state }) => !['same', 'name-only', 'same-data'].includes(state));
	if (isJson) print(JSON.stringify({ files }));
	else if (differing.length === 0) print('No difference.');
	else for (const file of differing) await printFile(api, { ...ends, path: file.path }, print);
	return options['exit-code'] === true && differing.length > 0 ? exit.checkFailed : exit.ok;
}

const marks = { same: ' ', added: '+', removed: '-', gap: '@' };

async function printFile(
	api: Api,
	wish: Parameters<Api['policy']['fileChanges']>[0],
	print: (line: string) => void
): Promise<void> {
	for (let cursor: string | undefined; ;) {
		const { was, now, lines, note, added, removed, nextCursor } = await api.policy.fileChanges({ ...wish, cursor });
		if (cursor === undefined) {
			const state = was === null ? ', new' : now === null ? ', gone' : '';
			print(`${wish.path}: ${counted(added, 'line')} more, ${counted(removed, 'line')} less${state}`);
			if (note !== null) print(note);
		}
		for (const { kind, text } of lines ?? []) print(`${marks[kind]} ${text}`.trimEnd());
		if (nextCursor === null) return;
		cursor = nextCursor;
	}
}
