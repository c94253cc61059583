import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { keepFiles } from '../lib/server/suppression/keep-files.ts';
import { createAddressReader } from '../lib/shared/address-lines.ts';
import type { AddressLine } from '../lib/shared/address-lines.ts';
import { exit, UsageError } from './command.ts';
import type { Command, Exit, Invocation, Option } from './command.ts';
import { progress } from './progress.ts';

const domain: Option = { type: 'string', value: 'name', help: 'The list of this domain; without it the global one.' };
const note: Option = { type: 'string', value: 'text', help: 'Why; kept with the entry.' };
const json: Option = { type: 'boolean', help: 'As JSON.' };
const atOnce = 2000;

export const suppression: Record<string, Command> = {
	check: {
		help: 'Whether mail to an address is refused, and why; exit code 3 when it is.',
		takes: ['address'],
		options: { domain, json },
		run: check
	},
	add: { help: 'Puts an address on a list.', takes: ['address'], options: { domain, note }, run: add },
	remove: { help: 'Takes an address off a list.', takes: ['address'], options: { domain }, run: remove },
	import: {
		help: 'Adds the addresses of a CSV file or of one with an address in each line.',
		takes: ['file'],
		options: { domain, note },
		run: importList
	},
	export: {
		help: 'Prints lists as CSV.',
		takes: [],
		options: { domain: { ...domain, help: 'Only the list of this domain; without it all lists.' } },
		run: exportAll
	},
	state: {
		help: 'Whether KumoMTA’s files say what the lists say; exit code 3 when they could not be written.',
		takes: [],
		options: { json },
		run: tellState
	},
	rebuild: { help: 'Builds the files that KumoMTA reads anew, and waits for it.', takes: [], options: {}, run: rebuild }
};

async function findDomain({ api, options }: Invocation): Promise<string | null> {
	const name = options['domain'];
	if (typeof name !== 'string') return null;
	const { items } = await api.domains.list({ search: name, limit: 200 });
	const found = items.find((each) => [each.name, each.displayName].includes(name.toLowerCase()));
	if (found === undefined) throw new UsageError('There is no domain of this name. Nothing was changed.');
	return found.id;
}

const noteOf = ({ options }: Invocation) => (typeof options['note'] === 'string' ? { note: options['note'] } : {});

async function check(invocation: Invocation): Promise<Exit> {
	const { api, given, options, print } = invocation;
	const address = given['address'] ?? '';
	const answer = await api.suppression.check({ address, domainId: await findDomain(invocation) });
	if (options['json'] === true) print(JSON.stringify(answer));
	else {
		print(answer.suppressed ? `${answer.address} is suppressed.` : `${answer.address} is not suppressed.`);
		for (const { domain: list, reason, createdAt, addedBy } of answer.entries)
			print(`  ${list?.name ?? 'global'}: ${reason} since ${new Date(createdAt).toISOString()}, by ${addedBy}`);
	}
	return answer.suppressed ? exit.checkFailed : exit.ok;
}

async function add(invocation: Invocation): Promise<Exit> {
	const { api, given, print } = invocation;
	const domainId = await findDomain(invocation);
	const entry = await api.suppression.add({ address: given['address'] ?? '', domainId, ...noteOf(invocation) });
	print(`${entry.address} gets no more mail of ${entry.domain?.name ?? 'any domain'}, within two minutes.`);
	return exit.ok;
}

async function remove(invocation: Invocation): Promise<Exit> {
	const { api, given, print } = invocation;
	const domainId = await findDomain(invocation);
	const { entries } = await api.suppression.check({ address: given['address'] ?? '', domainId });
	const entry = entries.find((each) => (each.domain?.id ?? null) === domainId);
	if (entry === undefined) throw new UsageError('This address is not on that list. Nothing was changed.');
	await api.suppression.remove({ id: entry.id, version: entry.version });
	print(
		`${entry.address} was taken off the ${entry.domain === null ? 'global list' : `list of ${entry.domain.name}`}.`
	);
	return exit.ok;
}

async function importList(invocation: Invocation): Promise<Exit> {
	const { api, given, print } = invocation;
	const domainId = await findDomain(invocation);
	const shown = progress('Importing:');
	const total = { added: 0, known: 0, wrong: 0 };
	function tell(line: number, message: string): void {
		total.wrong += 1;
		shown.end();
		process.stderr.write(`line ${line}: ${message}\n`);
	}
	try {
		for await (const lines of readPages(given['file'] ?? '', tell)) {
			const texts = lines.map(({ address }) => address);
			const result = await api.suppression.bulk({ domainId, add: texts, reason: 'import', ...noteOf(invocation) });
			total.added += result.added;
			total.known += result.known;
			for (const { index, message } of result.errors) tell(lines[index]?.line ?? 0, message);
			shown.at(`${total.added + total.known} addresses`);
		}
	} finally {
		shown.end();
	}
	print(`${total.added} added, ${total.known} stood there already, ${total.wrong} lines left out.`);
	return total.wrong > 0 ? exit.checkFailed : exit.ok;
}

/** Pages of a file of any size. */
async function* readPages(path: string, tell: (line: number, message: string) => void): AsyncGenerator<AddressLine[]> {
	const read = createAddressReader();
	let lines: AddressLine[] = [];
	try {
		for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
			const line = read(text);
			if (line?.error !== undefined) tell(line.line, line.error);
			else if (line !== undefined) lines.push(line);
			if (lines.length < atOnce) continue;
			yield lines;
			lines = [];
		}
	} catch (error) {
		if (!['ENOENT', 'EACCES', 'EISDIR'].includes(String((error as { code?: unknown }).code))) throw error;
		throw new UsageError('The file cannot be read. Nothing was imported.');
	}
	if (lines.length > 0) yield lines;
}

async function exportAll(invocation: Invocation): Promise<Exit> {
	const { api, print } = invocation;
	const domainId = await findDomain(invocation);
	const filter = domainId === null ? {} : { domainId };
	const shown = progress('Export:');
	let rows = 0;
	try {
		for (let cursor: string | undefined; ;) {
			const page = await api.suppression.export({ ...filter, limit: 5000, cursor });
			shown.at(`${(rows += page.rows)} rows`);
			// `print` ends a line with a line feed itself.
			if (page.text !== '') print(page.text.slice(0, -1));
			if (page.nextCursor === null) return exit.ok;
			cursor = page.nextCursor;
		}
	} finally {
		shown.end();
	}
}

async function tellState({ api, options, print }: Invocation): Promise<Exit> {
	const answer = await api.suppression.state();
	if (options['json'] === true) print(JSON.stringify(answer));
	else {
		print(`${answer.state}: ${answer.waiting} changes that no file says yet.`);
		if (answer.failure !== null) print(answer.failure.message);
	}
	return answer.state === 'failed' ? exit.checkFailed : exit.ok;
}

/** Whoever has the turn builds, this process or the server. */
async function rebuild({ app, api, print }: Invocation): Promise<Exit> {
	let state = await api.suppression.rebuild();
	if (state.state === 'unused') {
		print('No policy was applied yet: there is nothing that would read the files.');
		return exit.ok;
	}
	const before = state.base.at;
	const building = keepFiles(app).catch(() => undefined);
	const shown = progress('Building:');
	for (let tries = 0; tries < 3600; tries += 1) {
		await Promise.race([building, wait(1000)]);
		state = await api.suppression.state();
		if ((state.base.state === 'ok' && state.base.at !== before) || state.failure !== null) break;
		shown.at(`${state.progress ?? 0} rows`);
		await wait(200);
	}
	await building;
	shown.end();
	print(state.failure?.message ?? `Built: ${state.base.rows} rows, ${state.base.bytes} bytes.`);
	return state.failure === null ? exit.ok : exit.checkFailed;
}
