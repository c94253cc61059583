import type { App } from '../../app.ts';
import { UserError } from '../../core/errors.ts';
import type { StepResult } from '../step-result.ts';
import type { RouteResult } from './inputs.ts';
import { runRoutes } from './run.ts';

const shown = 10;

/**
 * The step of an apply that runs every golden route on the revision just staged.
 * @param overriding names of routes that may be broken
 * @throws UserError routes-broken
 */
export async function guardRoutes(app: App, directory: string, overriding: string[]): Promise<StepResult> {
	const results = await runRoutes(app, directory);
	if (results.length === 0) return { status: 'skipped', output: 'No golden routes are saved.' };
	const broken = results.filter(({ status }) => status !== 'kept');
	const blocking = broken.filter(({ name }) => !overriding.includes(name));
	if (blocking.length > 0) throw routesBroken(blocking, broken);
	const kept = results.length - broken.length;
	const lines = [
		kept === 1 ? '1 golden route is kept.' : `${kept} golden routes are kept.`,
		...broken.map((each) => `Overridden: ${inWords(each)}.`)
	];
	return { status: 'ok', output: lines.join('\n') };
}

const textsOf = ({ differences }: RouteResult) =>
	differences.length === 0 ? ['differs'] : differences.map(({ text }) => text);
const inWords = (result: RouteResult) => `“${result.name}” ${textsOf(result).join(', ')}`.replace(/[.\s]+$/, '');

/** Its list has those that were named too: whoever tries again names them all. */
function routesBroken(blocking: RouteResult[], broken: RouteResult[]): UserError {
	const named = blocking.slice(0, shown).map(inWords).join('; ');
	const more = blocking.length > shown ? `; and ${blocking.length - shown} more` : '';
	const count = blocking.length === 1 ? 'A golden route is' : `${blocking.length} golden routes are`;
	return new UserError(
		'PRECONDITION_FAILED',
		`${count} broken: ${named}${more}. Nothing went live. Correct the configuration or the route, or apply again and override by name.`,
		{
			reason: 'routes-broken',
			problems: broken.map((each) => ({ route: each.name, differences: textsOf(each) }))
		}
	);
}
