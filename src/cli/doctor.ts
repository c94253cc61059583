import { counted } from '../lib/shared/counted.ts';
import { exit } from './command.ts';
import type { Command, Exit, Invocation } from './command.ts';
import { progress } from './progress.ts';

type Answer = Awaited<ReturnType<Invocation['api']['health']['run']>>;
type Item = Answer['items'][number];

/** `kumomta-ui doctor`: the checks of the page Security and health, with the rights of whoever runs it. */
export const doctor: Command = {
	help: 'Looks at the server: what is wrong, why it matters, how to mend it. Exit code 3 when something failed.',
	takes: [],
	options: {
		only: { type: 'string', multiple: true, value: 'check', help: 'This check alone; may be given more than once.' },
		problems: { type: 'boolean', help: 'Leaves out what is in order.' },
		json: { type: 'boolean', help: 'As JSON.' }
	},
	run
};

async function run({ api, options, print }: Invocation): Promise<Exit> {
	const only = Array.isArray(options['only']) ? options['only'].map(String) : undefined;
	const shown = progress('Looking:');
	shown.at('half a minute at most');
	const answer = await api.health.run(only && { only }).finally(() => shown.end());
	const items = answer.items.filter(({ id, isAsked }) => (only === undefined ? !isAsked : only.includes(id)));
	const wanted = options['problems'] === true ? items.filter(({ outcome }) => outcome !== 'ok') : items;
	if (options['json'] === true) print(JSON.stringify({ ...countsOf(items), items: wanted }));
	else for (const line of inWords(wanted, items)) print(line);
	return items.some(({ outcome }) => outcome === 'failed') ? exit.checkFailed : exit.ok;
}

function countsOf(items: Item[]) {
	const count = (wanted: Item['outcome']) => items.filter(({ outcome }) => outcome === wanted).length;
	return { failed: count('failed'), warning: count('warning'), unknown: count('unknown'), ok: count('ok') };
}

const marks = { failed: 'FAILED ', warning: 'warning', unknown: 'unknown', ok: 'ok     ' };

function* inWords(wanted: Item[], all: Item[]): Generator<string> {
	for (const { id, title, why, outcome, found, details, mend } of wanted) {
		yield `${marks[outcome ?? 'unknown']} ${title} (${id}): ${found}`;
		for (const line of details) yield `          ${line}`;
		if (outcome === 'ok' || mend === null) continue;
		yield `        Why it matters: ${why}`;
		yield `        What to do: ${mend.text}`;
		if (mend.command !== null) yield `          ${mend.command}`;
		if (mend.href !== null) yield `          In the panel: ${mend.href}`;
	}
	const { failed, warning, unknown, ok } = countsOf(all);
	yield `${counted(all.length, 'check')}: ${failed} failed, ${counted(warning, 'warning')}, ${unknown} unknown, ${ok} in order.`;
}
