import { counted } from '../lib/shared/counted.ts';
import { exit, UsageError } from './command.ts';
import type { Command, Exit, Invocation } from './command.ts';
import { progress } from './progress.ts';
import { readTextFile } from './text-file.ts';

type Preview = Awaited<ReturnType<Invocation['api']['imports']['preview']>>;
type Line = Preview['items'][number];

const maxBytes = 64 * 1_048_576;
/** A part holds at most 256 KiB of UTF-8, which takes at most three bytes for one UTF-16 unit. */
const partUnits = 262_144 / 3;

/** `kumomta-ui import`: the same upload, preview and commit as in the panel. */
export const importFile: Command = {
	help: 'Domains and senders from a CSV file (- is standard input): all of it, or nothing when a line is wrong.',
	takes: ['file'],
	options: {
		'dry-run': { type: 'boolean', help: 'Shows what it would do, and imports nothing.' },
		lines: { type: 'boolean', help: 'Prints every line with its effect.' },
		json: { type: 'boolean', help: 'As JSON.' }
	},
	run
};

async function run(invocation: Invocation): Promise<Exit> {
	const { api, given } = invocation;
	const text = await readTextFile(given['file'] ?? '', maxBytes);
	if (text === '') throw new UsageError('The file is empty. Nothing was imported.');
	const { id } = await api.imports.create({ kind: 'domains-and-senders' });
	let isDone = false;
	try {
		await upload(invocation, id, text);
		const ended = await judge(invocation, id);
		isDone = ended.isCommitted;
		return ended.code;
	} finally {
		// An upload may hold passwords: none stays behind.
		if (!isDone) await api.imports.discard({ id });
	}
}

async function upload({ api }: Invocation, id: string, text: string): Promise<void> {
	const shown = progress('Reading:');
	try {
		for (const [part, piece] of [...piecesOf(text)].entries()) {
			shown.at(counted(part + 1, 'part'), (part * partUnits) / text.length);
			await api.imports.append({ id, part, text: piece });
		}
	} finally {
		shown.end();
	}
}

/** Never cut between the two halves of a character. */
export function* piecesOf(text: string, units = Math.floor(partUnits)): Generator<string> {
	for (let from = 0; from < text.length;) {
		let end = Math.min(text.length, from + units);
		const last = text.charCodeAt(end - 1);
		if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
		yield text.slice(from, end);
		from = end;
	}
}

async function judge(invocation: Invocation, id: string): Promise<{ code: Exit; isCommitted: boolean }> {
	const { api, options, print } = invocation;
	const isJson = options['json'] === true;
	const first = await api.imports.preview({ id, limit: 1 });
	const { summary, hash } = first;
	const lines = options['lines'] === true ? await allLines(api, id, 'all') : undefined;
	const wrong = summary.errors > 0 ? await allLines(api, id, 'errors') : [];
	const isCommitted = summary.errors === 0 && options['dry-run'] !== true;
	if (!isJson) for (const line of lines ?? []) print(effectsOf(line));
	if (isCommitted) await api.imports.commit({ id, expectedHash: hash ?? '' });
	if (isJson)
		print(JSON.stringify({ id, isCommitted, summary, errors: wrong.map(errorOf), ...(lines && { items: lines }) }));
	else for (const line of wordsOf(summary, isCommitted)) print(line);
	if (!isJson)
		for (const { line, errors } of wrong)
			for (const { column, message } of errors)
				process.stderr.write(`line ${line}${column === '' ? '' : `, ${column}`}: ${message}\n`);
	if (summary.errors > 0) process.stderr.write('Nothing was imported. Correct these lines and import again.\n');
	return { code: summary.errors > 0 ? exit.wrongInput : exit.ok, isCommitted };
}

async function allLines(api: Invocation['api'], id: string, only: 'all' | 'errors'): Promise<Line[]> {
	const lines: Line[] = [];
	for (let cursor: string | undefined; ;) {
		const page: Preview = await api.imports.preview({ id, only, limit: 200, cursor });
		lines.push(...page.items);
		if (page.nextCursor === null) return lines;
		cursor = page.nextCursor;
	}
}

const errorOf = ({ line, errors }: Line) => ({ line, errors });

function effectsOf({ line, domain, address, effects, changes }: Line): string {
	const done = effects.map((effect) => (effect === 'sender-updated' ? `${effect} (${changes.join(', ')})` : effect));
	return `${line}  ${address ?? domain ?? ''}  ${done.join(', ') || 'wrong'}`;
}

function* wordsOf(summary: Preview['summary'], isCommitted: boolean): Generator<string> {
	const { rows, domainsCreated, sendersCreated, sendersUpdated, unchanged, keysRequested, errors } = summary;
	yield `${counted(rows, 'line')}: ${counted(domainsCreated, 'new domain')}, ${counted(sendersCreated, 'new sender')}, ${sendersUpdated} changed, ${unchanged} as they are, ${errors} wrong.`;
	if (!isCommitted) {
		if (errors === 0) yield 'This is a dry run: nothing was imported.';
		return;
	}
	yield 'Imported. Review and apply the policy to make it live.';
	if (keysRequested > 0) yield `${counted(keysRequested, 'DKIM key')} will be made by the running panel.`;
}
