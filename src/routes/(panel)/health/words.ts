import type { Outputs } from '$lib/api';
import type { BadgeKind } from '$lib/ui/badge-kind';

export type Health = Outputs['health']['list'];
export type HealthItem = Health['items'][number];
type Outcome = NonNullable<HealthItem['outcome']>;

export const outcomeLooks: Record<Outcome, { kind: BadgeKind; word: string; title: string; note: string }> = {
	failed: { kind: 'bad', word: 'failed', title: 'Mend now', note: 'Each of these is a danger or stops mail.' },
	warning: { kind: 'warn', word: 'warning', title: 'Look into', note: 'Not urgent, but better mended.' },
	unknown: { kind: 'neutral', word: 'not known', title: 'Not known', note: 'What could not be seen, and why.' },
	ok: { kind: 'ok', word: 'in order', title: 'In order', note: 'What was found, for whoever wants to know.' }
};

export const groupNames: Record<HealthItem['group'], string> = {
	panel: 'Panel',
	machine: 'Machine',
	files: 'Files',
	kumomta: 'KumoMTA',
	mail: 'Mail',
	backup: 'Backup'
};

const order: Outcome[] = ['failed', 'warning', 'unknown', 'ok'];

/** The checks by what they found, the worst first; one that was never run is in none. */
export function byOutcome(items: HealthItem[]): { outcome: Outcome; items: HealthItem[] }[] {
	return order
		.map((outcome) => ({ outcome, items: items.filter((item) => item.outcome === outcome) }))
		.filter((section) => section.items.length > 0);
}

/** The state of the server in one sentence. */
export function lead({ counts, checkedAt }: Pick<Health, 'counts' | 'checkedAt'>): string {
	const { failed, warning, unknown } = counts;
	if (checkedAt === null && failed + warning + unknown + counts.ok === 0) return 'Nothing was looked at yet.';
	const open = unknown > 0 ? ` What ${unknown} of the checks look at is not known.` : '';
	if (failed > 0) return `${failed} of the checks failed${warning > 0 ? `, ${warning} warn` : ''}.${open}`;
	if (warning > 0) return `Nothing failed; ${warning === 1 ? 'one check warns' : `${warning} checks warn`}.${open}`;
	return `Everything that could be seen is in order.${open}`;
}
