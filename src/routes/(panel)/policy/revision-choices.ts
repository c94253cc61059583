import type { Outputs } from '$lib/api';

type Revision = Pick<Outputs['policy']['revisions']['items'][number], 'number' | 'isLive' | 'reason'>;
const longestReason = 40;

/**
 * For a select: what an apply would make now, then the revisions that are kept.
 * @param linked a revision that a link names, which may be one that is not listed
 */
export function revisionChoices(revisions: readonly Revision[], linked = ''): { value: string; label: string }[] {
	const listed = revisions.map(({ number, isLive, reason }) => ({
		value: String(number),
		label: `Revision ${number}${isLive ? ' (live)' : ''}${reason === null ? '' : `: ${shortened(reason)}`}`
	}));
	const isMissing = linked !== '' && !listed.some(({ value }) => value === linked);
	return [
		{ value: '', label: 'What an apply would make now' },
		...(isMissing ? [{ value: linked, label: `Revision ${linked}` }] : []),
		...listed
	];
}

const shortened = (text: string) =>
	text.length <= longestReason ? text : `${text.slice(0, longestReason).trimEnd()}…`;
