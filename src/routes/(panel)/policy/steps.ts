import type { Outputs } from '$lib/api';
import { isPutBackOwed, stepNames } from '$lib/shared/apply-steps';
import type { Step } from '$lib/ui/step';

export type Progress = Outputs['policy']['progress'];

const titles: Record<Progress['steps'][number]['name'], [done: string, waiting: string]> = {
	snapshot: ['Data read', 'Read the data'],
	render: ['Rendered', 'Render the files'],
	check: ['Checked', 'Check'],
	stage: ['Staged', 'Stage beside the live policy'],
	routes: ['Golden routes kept', 'Run the golden routes'],
	validate: ['Validated', 'Validate with KumoMTA'],
	dovecot: ['Mailboxes prepared', 'Prepare mailboxes and Dovecot'],
	swap: ['Live', 'Go live by one rename'],
	refresh: ['KumoMTA refreshed', 'Refresh KumoMTA'],
	probe: ['Probed', 'Probe the listeners'],
	watch: ['Watched', 'Watch it with real traffic'],
	record: ['Recorded', 'Record'],
	revert: ['Put back', 'Put back what was live before']
};

/** The steps of an apply as they are drawn: those that ran, then those still to come. */
export function drawnSteps({ steps, outcome, watch }: Pick<Progress, 'steps' | 'outcome' | 'watch'>): Step[] {
	const ran = steps.map(({ name, status, output, durationMs }): Step => ({
		title: titles[name][status === 'ok' ? 0 : 1],
		status,
		detail: watch === null ? output : withoutMeasures(output),
		note: status === 'running' ? '' : duration(durationMs)
	}));
	const seen = new Set<string>(steps.map(({ name }) => name));
	const ahead =
		outcome === 'running' && !isPutBackOwed({ outcome, steps }) ? stepNames.filter((name) => !seen.has(name)) : [];
	return [...ran, ...ahead.map((name): Step => ({ title: titles[name][1], status: 'waiting' }))];
}

/** The measures stand in a card of their own, in words. */
const withoutMeasures = (output: string) =>
	output
		.split('\n')
		.filter((line) => !/^(good|BREACH|not-judged) [a-z-]+: /.test(line))
		.join('\n');

function duration(ms: number): string {
	return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** How an apply ended, in a sentence: what happened and what is true now. */
export function outcomeText(
	{ outcome, revision, previousRevision }: Pick<Progress, 'outcome' | 'revision' | 'previousRevision'>,
	isPast = false
): {
	kind: 'ok' | 'warn' | 'bad' | 'info';
	title: string;
	text: string;
} {
	const before = previousRevision === null ? 'What was live before' : `Revision ${previousRevision}`;
	switch (outcome) {
		case 'running':
			return { kind: 'info', title: 'Applying', text: 'You may leave this page; it goes on.' };
		case 'applied':
			return {
				kind: 'ok',
				title: `Revision ${revision} ${isPast ? 'went' : 'is'} live`,
				text: 'Every step below passed or says why it was skipped.'
			};
		case 'unchanged':
			return { kind: 'ok', title: 'Nothing had changed', text: `${before} stays live. Nothing was written.` };
		case 'refused':
			return {
				kind: 'warn',
				title: 'The apply was refused',
				text: `${before} ${isPast ? 'stayed' : 'is still'} live. The last step below says what to correct.`
			};
		case 'failed':
			return {
				kind: 'bad',
				title: 'The apply failed',
				text: `${before} ${isPast ? 'stayed' : 'is still'} live. The failed step below says why.`
			};
		case 'reverted':
			return {
				kind: 'bad',
				title: 'The revision was put back',
				text: `${before} ${isPast ? 'went' : 'is'} live again. The evidence stands below.`
			};
		case 'interrupted':
			return {
				kind: 'warn',
				title: 'The apply was interrupted',
				text: 'The panel ended while it ran. The live file decides: look at the state above.'
			};
	}
}
