import type { Progress } from './steps';

type Report = NonNullable<Progress['watch']>;
type Measure = Report['measures'][number];

export const measureTitles: Record<Measure['name'], string> = {
	liveness: 'KumoMTA is alive',
	greetings: 'Listeners greet',
	'internal-errors': 'Internal errors',
	'cache-errors': 'Look-ups of the policy',
	rejected: 'Rejected mail',
	deferred: 'Deferred deliveries',
	failed: 'Deliveries refused for good'
};

export const verdictWords: Record<Measure['verdict'], string> = {
	good: 'good',
	breach: 'broke the limit',
	'not-judged': 'not judged'
};

/** Minutes and seconds that are left; the server's clock decides, this one only shows. */
export function countdown(untilAt: number, now: number): string {
	const seconds = Math.max(0, Math.ceil((untilAt - now) / 1000));
	return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** How the watch ended. */
export function verdictText({ verdict }: Report): { kind: 'ok' | 'warn' | 'bad'; title: string } {
	switch (verdict) {
		case 'good':
			return { kind: 'ok', title: 'All well' };
		case 'ended-early':
			return { kind: 'ok', title: 'Ended early, kept' };
		case 'breach':
			return { kind: 'bad', title: 'Broke a limit' };
		case 'taken-back':
			return { kind: 'bad', title: 'Taken back' };
		case 'not-confirmed':
			return { kind: 'bad', title: 'Not confirmed' };
		case 'broken-off':
		case null:
			return { kind: 'warn', title: 'Not judged: the panel stopped' };
	}
}
