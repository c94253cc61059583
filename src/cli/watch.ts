import { exit } from './command.ts';
import type { Command, Invocation } from './command.ts';

type Progress = Awaited<ReturnType<Invocation['api']['policy']['progress']>>;

export const watchCommands: Record<string, Command> = {
	'end-watch': {
		help: 'Ends the watch of an apply and keeps it; with --take-back what was live before is put back.',
		takes: ['apply'],
		options: { 'take-back': { type: 'boolean', help: 'Puts back what was live before.' } },
		async run({ api, options, given, print }) {
			await api.policy.endWatch({ applyId: given['apply'] ?? '', takeBack: options['take-back'] === true });
			print(options['take-back'] === true ? 'It is being taken back.' : 'The watch ends; the revision is kept.');
			return exit.ok;
		}
	},
	confirm: {
		help: 'Confirms an apply that would be taken back otherwise.',
		takes: ['apply'],
		options: {},
		async run({ api, given, print }) {
			await api.policy.confirm({ applyId: given['apply'] ?? '' });
			print('Confirmed. The revision stays.');
			return exit.ok;
		}
	}
};

/** Says once for each phase that an apply is live and being watched, and what to do. */
export function createWatchTeller(print: (line: string) => void): (progress: Progress) => void {
	let told = '';
	return ({ applyId, watch, confirmUntilAt, confirmedBy, outcome }) => {
		if (outcome !== 'running' || watch === null || watch.phase === 'ended' || watch.phase === told) return;
		told = watch.phase;
		const until = new Date(watch.untilAt).toISOString();
		if (watch.phase === 'confirming' && confirmedBy === null && confirmUntilAt !== null)
			print(`Confirm it until ${until}, or it is taken back: kumomta-ui policy confirm ${applyId}`);
		else if (watch.phase === 'epoch') print(`Live. The second configuration epoch comes at ${until}; it is watched.`);
		else print(`Live, and watched until ${until}. To end it: kumomta-ui policy end-watch ${applyId}`);
	};
}
