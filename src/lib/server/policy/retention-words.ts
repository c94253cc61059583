import { usualRetention } from './retention.ts';
import type { Fate, RemovalReason } from './retention.ts';

const number = new Intl.NumberFormat('en');
const days = usualRetention.ageMs / 86_400_000;
const count = number.format(usualRetention.revisions);
const gigabytes = usualRetention.bytes / 1024 ** 3;

const kept: Record<Extract<Fate, { isKept: true }>['because'], string> = {
	live: 'Kept as long as it is live.',
	previous: 'Kept as long as it is what was live before: the way back.',
	newest: `Kept: one of the newest ${usualRetention.atLeast}.`,
	limits: `Kept until it is ${days} days old, has ${count} newer ones, or those take ${gigabytes} GB.`
};
const removed: Record<RemovalReason, string> = {
	count: `Its files were removed: there were ${count} newer revisions.`,
	age: `Its files were removed: it had gone live more than ${days} days before.`,
	bytes: `Its files were removed: newer revisions took ${gigabytes} GB.`
};

export type RetentionReason = keyof typeof kept | RemovalReason | 'operators-own' | 'never-live' | 'files-missing';

/** Why the files of a revision are kept, or what took them and when. */
export interface RetentionOfRevision {
	state: 'kept' | 'removed';
	because: RetentionReason;
	/** When it went, or the latest moment that its age allows; null: no date. */
	at: number | null;
	text: string;
}

interface Known {
	number: number;
	appliedAt: number | null;
	removedAt: number | null;
	removedBecause: RemovalReason | null;
}

/** @param hasFiles they can be read. @param fate of the rule; undefined for what it does not look at. */
export function retentionInWords(row: Known, hasFiles: boolean, fate: Fate | undefined): RetentionOfRevision {
	if (row.removedAt !== null && row.removedBecause !== null)
		return { state: 'removed', because: row.removedBecause, at: row.removedAt, text: removed[row.removedBecause] };
	if (!hasFiles) {
		const text = 'Its files are not where the panel put them, and it was not the panel that took them.';
		if (row.number === 0 || row.appliedAt !== null)
			return { state: 'removed', because: 'files-missing', at: null, text };
	}
	if (row.number === 0)
		return { state: 'kept', because: 'operators-own', at: null, text: 'Kept for good: it is not the panel’s.' };
	if (row.appliedAt === null) {
		const text = 'It never went live. What an apply leaves behind is removed after 15 minutes.';
		return { state: hasFiles ? 'kept' : 'removed', because: 'never-live', at: null, text };
	}
	if (fate === undefined || fate.isKept) {
		const because = fate?.because ?? 'limits';
		const at = because === 'limits' ? row.appliedAt + usualRetention.ageMs : null;
		return { state: 'kept', because, at, text: kept[because] };
	}
	const text = `Removed at the next apply. ${removed[fate.because].replace('Its files were removed: ', 'Reason: ')}`;
	return { state: 'kept', because: fate.because, at: null, text };
}
