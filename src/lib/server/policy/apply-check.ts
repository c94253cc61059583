import { UserError } from '../core/errors.ts';
import type { BuiltRevision } from './build-revision.ts';
import type { Drift } from './drift.ts';
import type { Live } from './live.ts';
import type { PolicyRoots } from './roots.ts';

/** What an apply may replace. */
export interface Permission {
	/** SHA-256 of a policy that is not ours and may be replaced. */
	takeOver?: string | null | undefined;
	overwriteDrift?: boolean | undefined;
}

/**
 * Whether what is live may be replaced.
 * @throws UserError policy-not-ours, drift. Nothing was touched then.
 */
export function assertMayReplace(
	init: PolicyRoots['init'],
	{ live, drift }: { live: Live; drift: Drift[] },
	{ takeOver, overwriteDrift }: Permission
): void {
	if (live.kind === 'foreign' && takeOver !== live.sha256) throw policyNotOurs(init, live.sha256);
	const edited = drift.filter(({ needsOverwrite }) => needsOverwrite);
	if (edited.length === 0 || overwriteDrift === true) return;
	const names = edited.slice(0, 10).map(({ path }) => path);
	throw new UserError(
		'PRECONDITION_FAILED',
		`Files of the live policy were changed by hand: ${names.join(', ')}. They are still live. Look at the difference, then apply again and confirm that they are overwritten.`,
		{ reason: 'drift', problems: edited }
	);
}

/** @throws UserError problems: some stand in the way. */
export function assertSound({ problems, problemCounts }: Pick<BuiltRevision, 'problems' | 'problemCounts'>): void {
	if (problemCounts.blocking === 0) return;
	throw new UserError(
		'PRECONDITION_FAILED',
		`${problemCounts.blocking === 1 ? 'A problem stands' : `${problemCounts.blocking} problems stand`} in the way. Nothing was applied. Correct them and apply again.`,
		{ reason: 'problems', problems: problems.filter(({ blocks }) => blocks) }
	);
}

/** @throws UserError pending-moved */
export function assertReviewed(hash: string, expectedHash: string): void {
	if (hash === expectedHash) return;
	throw new UserError(
		'CONFLICT',
		'The configuration changed after it was reviewed. Nothing was applied. Look at the changes again.',
		{ reason: 'pending-moved' }
	);
}

function policyNotOurs(path: string, sha256: string): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		`${path} was not written by this panel (SHA-256 ${sha256}). It is still live and untouched. Look at it; to replace it, apply again and name this SHA-256: it is kept beside and can be restored.`,
		{ reason: 'policy-not-ours', problems: [{ path, sha256 }] }
	);
}
