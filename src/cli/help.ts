import type { Command, Tool } from './command.ts';

export type Nouns = Record<string, Record<string, Command>>;

const footer = `The environment says where the panel's data is (DATA_DIR, DATABASE_URL, KUMOMTA_ROOT), as for the server; the
server may run meanwhile. Every change is in the audit log as cli:<uid>.

Exit codes: 0 done · 1 a bug · 2 wrong input · 3 a check failed, or KumoMTA did not take the policy`;

/** Every command with one line each. */
export function overview(nouns: Nouns, singles: Record<string, Command | Tool>): string {
	const rows = Object.entries(nouns).flatMap(([noun, verbs]) =>
		Object.entries(verbs).map(([verb, command]) => [`${noun} ${verb}${argumentsOf(command)}`, command.help] as const)
	);
	const words = Object.entries(singles).map(([name, each]) => [`${name}${argumentsOf(each)}`, each.help] as const);
	const all = [...rows, ...words, ['help [<noun> [<verb>]]', 'This text, or the options of a command.'] as const];
	return `kumomta-ui <noun> <verb> [options]\n\n${columns(all)}\n\n${footer}`;
}

/** One command with its options. */
export function commandHelp(noun: string, verb: string, command: Command | Tool): string {
	const rows = Object.entries(command.options).map(
		([name, { value, help, multiple }]) =>
			[`--${name}${value === undefined ? '' : ` <${value}>`}${multiple ? ' …' : ''}`, help] as const
	);
	const options = rows.length === 0 ? '' : `\n\n${columns(rows)}`;
	return `kumomta-ui ${[noun, verb].filter(Boolean).join(' ')}${argumentsOf(command)}${rows.length === 0 ? '' : ' [options]'}\n\n${command.help}${options}`;
}

const argumentsOf = ({ takes }: Pick<Command, 'takes'>) => takes.map((name) => ` <${name}>`).join('');

function columns(rows: readonly (readonly [string, string])[]): string {
	const width = Math.max(...rows.map(([left]) => left.length)) + 2;
	return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n');
}
