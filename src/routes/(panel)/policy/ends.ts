/** What is compared. Absent: the live revision on the left, what an apply would make on the right. */
export interface Between {
	from?: number | 'pending';
	to?: number | 'pending';
}

/** An end of a comparison as it stands in an address; undefined: none. */
export function endIn(text: string | null): number | 'pending' | undefined {
	if (text === 'pending') return text;
	return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

export function endName(end: number | 'pending'): string {
	if (end === 'pending') return 'what is pending';
	return end === 0 ? 'the policy before this panel' : `revision ${end}`;
}
