import { emailAddress } from '../lib/server/core/inputs.ts';
import { counted } from '../lib/shared/counted.ts';
import { exit, UsageError } from './command.ts';
import type { Command, Exit, Invocation, Option } from './command.ts';
import { progress } from './progress.ts';

const domain: Option = { type: 'string', value: 'name', help: 'The list of this domain; unless told, the global one.' };
const json: Option = { type: 'boolean', help: 'As JSON.' };

export const suppression: Record<string, Command> = {
	check: {
		help: 'Says whether mail to an address is refused, and why; exit code 3 when it is.',
		takes: ['address'],
		options: { domain: { ...domain, help: 'For senders of this domain.' }, json },
		run: check
	},
	add: {
		help: 'Puts an address on a list: mail to it is refused.',
		takes: ['address'],
		options: { domain, note: { type: 'string', value: 'text', help: 'Why; kept with the entry.' } },
		run: add
	},
	remove: { help: 'Takes an address off a list.', takes: ['address'], options: { domain }, run: remove },
	export: {
		help: 'Prints every entry as CSV.',
		takes: [],
		options: { domain: { ...domain, help: 'Of this domain only.' } },
		run: exportAll
	},
	state: {
		help: 'Whether KumoMTA’s files say what the lists say; exit code 3 when they could not be written.',
		takes: [],
		options: { json },
		run: state
	}
};

export async function domainIdOf({ api, options }: Invocation): Promise<string | null> {
	const name = options['domain'];
	if (typeof name !== 'string') return null;
	const { items } = await api.domains.list({ search: name, limit: 200 });
	const found = items.find((each) => each.name === name.toLowerCase() || each.displayName === name.toLowerCase());
	if (found === undefined) throw new UsageError(`There is no domain ${name}. Nothing was changed.`);
	return found.id;
}

function addressOf({ given }: Invocation): string {
	const { success, data } = emailAddress.safeParse(given['address']);
	if (!success) throw new UsageError('This is not an e-mail address. Nothing was changed.');
	return data;
}

async function check(invocation: Invocation): Promise<Exit> {
	const { api, options, print } = invocation;
	const answer = await api.suppression.check({
		address: addressOf(invocation),
		domainId: (await domainIdOf(invocation)) ?? undefined
	});
	if (options['json'] === true) print(JSON.stringify(answer));
	else {
		print(`${answer.address}: ${answer.suppressed ? 'refused' : 'not refused'}.`);
		for (const entry of answer.entries)
			print(
				`  ${entry.domain === null ? 'global list' : `list of ${entry.domain.name}`}: ${entry.reason}, since ${new Date(entry.createdAt).toISOString()}${entry.note === '' ? '' : ` (${entry.note.replace(/\s+/g, ' ')})`}`
			);
	}
	return answer.suppressed ? exit.checkFailed : exit.ok;
}

async function add(invocation: Invocation): Promise<Exit> {
	const { api, options, print } = invocation;
	const note = options['note'];
	const { address } = await api.suppression.add({
		address: addressOf(invocation),
		domainId: await domainIdOf(invocation),
		...(typeof note === 'string' && { note })
	});
	print(`${address} is on the list. It is refused within two minutes of the running panel.`);
	return exit.ok;
}

async function remove(invocation: Invocation): Promise<Exit> {
	const { api, print } = invocation;
	const address = addressOf(invocation);
	const domainId = await domainIdOf(invocation);
	const { entries } = await api.suppression.check({ address, ...(domainId !== null && { domainId }) });
	const entry = entries.find((each) => (each.domain?.id ?? null) === domainId);
	if (entry === undefined) throw new UsageError('The address is not on this list. Nothing was changed.');
	await api.suppression.remove({ id: entry.id, version: entry.version });
	print(`${address} was taken off the list.`);
	return exit.ok;
}

async function exportAll(invocation: Invocation): Promise<Exit> {
	const { api, options, print } = invocation;
	const scope = options['domain'] === undefined ? {} : { domainId: await domainIdOf(invocation) };
	const shown = progress('Export:');
	let rows = 0;
	try {
		for (let cursor: string | undefined; ;) {
			const page = await api.suppression.export({ ...scope, limit: 5000, cursor });
			shown.at(counted((rows += page.rows), 'line'));
			if (page.text !== '') print(page.text.replace(/\r\n$/, '\r'));
			if (page.nextCursor === null) return exit.ok;
			cursor = page.nextCursor;
		}
	} finally {
		shown.end();
	}
}

async function state({ api, options, print }: Invocation): Promise<Exit> {
	const answer = await api.suppression.state();
	if (options['json'] === true) print(JSON.stringify(answer));
	else {
		print(`${answer.state}: ${counted(answer.waiting, 'change')} that no file says yet.`);
		if (answer.failure !== null) print(answer.failure.message);
	}
	return answer.state === 'failed' ? exit.checkFailed : exit.ok;
}
