import type { Outputs } from '$lib/api';

/** The port that software signs in at (RFC 6409: 587 unless Settings say otherwise); null when no listener takes submissions. */
export function submissionPort(listeners: Outputs['settings']['get']['listeners']): number | null {
	if (listeners === null) return 587;
	return listeners.find(({ purpose }) => purpose === 'submission')?.port ?? null;
}
