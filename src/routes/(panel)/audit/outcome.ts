import type { BadgeKind } from '$lib/ui/badge-kind';

const words: Record<string, { kind: BadgeKind; word: string }> = {
	ok: { kind: 'ok', word: 'done' },
	started: { kind: 'warn', word: 'not finished' },
	BAD_REQUEST: { kind: 'neutral', word: 'invalid input' },
	UNAUTHORIZED: { kind: 'bad', word: 'denied' },
	FORBIDDEN: { kind: 'bad', word: 'denied' },
	TOO_MANY_REQUESTS: { kind: 'bad', word: 'too many tries' },
	CONFLICT: { kind: 'warn', word: 'conflict' },
	NOT_FOUND: { kind: 'neutral', word: 'not found' },
	PRECONDITION_FAILED: { kind: 'warn', word: 'refused' },
	INTERNAL_SERVER_ERROR: { kind: 'bad', word: 'failed' }
};

/** How a call ended, in a word. */
export function outcomeLook({ outcome }: { outcome: string }): { kind: BadgeKind; word: string } {
	return words[outcome] ?? { kind: 'neutral', word: outcome.toLowerCase().replaceAll('_', ' ') };
}
