import type { Outputs } from '$lib/api';
import type { BadgeKind } from '$lib/ui/badge-kind';

type Domain = Outputs['domains']['list']['items'][number];
type Code = Domain['readiness']['reasons'][number]['code'];

const lacks: Record<Code, { kind: BadgeKind; text: string }> = {
	'no-dkim-key': { kind: 'bad', text: 'no key' },
	'dkim-key-pending': { kind: 'warn', text: 'key waits' },
	'dkim-key-requested': { kind: 'neutral', text: 'key in the making' }
};

/** Whether the next policy holds the domain, in one or two words. */
export function readinessBadge({ readiness }: Pick<Domain, 'readiness'>): { kind: BadgeKind; text: string } {
	const [reason] = readiness.reasons;
	return readiness.ready || reason === undefined ? { kind: 'ok', text: 'ready' } : lacks[reason.code];
}

/** The same as a sentence or two. */
export function readinessText({ readiness }: Pick<Domain, 'readiness'>): string {
	if (readiness.ready) return 'Ready: its mail is signed.';
	return `${readiness.reasons.map(({ message }) => message).join(' ')} Until then it stays out of the policy.`;
}
