import type { Inputs, Outputs } from '$lib/api';
import type { Counted, Unit } from '../senders/counted';
import type { PasswordBounds } from '../senders/password-choice';

type Account = Outputs['bounces']['get'];

/** bcrypt reads 72 bytes; the server refuses what is longer. */
export const accountPassword: PasswordBounds = { min: 12, max: 72 };

const gibibyte = 1_073_741_824;
/** Values are bytes. */
export const sizeUnits: Unit[] = [
	{ value: '1048576', label: 'MiB' },
	{ value: String(gibibyte), label: 'GiB' }
];

/** What can be set on a new account and changed later, under the names of the API's inputs. */
export interface AccountValues {
	quotaBytes: Counted;
	retentionDays: number | null;
	notes: string;
}

export function accountValues(account?: Account): AccountValues {
	return {
		quotaBytes: countedSize(account?.quotaBytes ?? gibibyte),
		retentionDays: account?.retentionDays ?? 30,
		notes: account?.notes ?? ''
	};
}

/** Bytes in the largest unit that leaves a whole number; another program may have set any. */
function countedSize(bytes: number): Counted {
	const largest = sizeUnits.findLast(({ value }) => bytes % Number(value) === 0) ?? sizeUnits[0];
	const unit = largest?.value ?? '1048576';
	return { count: bytes / Number(unit), unit };
}

type Sent = Required<Pick<Inputs['bounces']['create'], 'quotaBytes' | 'retentionDays' | 'notes'>>;

/** What is missing the server names beside its field. */
export function inputOf({ quotaBytes: { count, unit }, retentionDays, notes }: AccountValues): Sent {
	return { quotaBytes: Math.round((count ?? 0) * Number(unit)), retentionDays: retentionDays ?? 0, notes };
}

export function valueErrors({ quotaBytes, retentionDays }: AccountValues) {
	return {
		quotaBytes: quotaBytes.count === null || quotaBytes.count <= 0 ? 'Enter how much it may hold.' : undefined,
		retentionDays: retentionDays === null ? 'Enter a number of days.' : undefined
	};
}
