import type { Inputs, Outputs } from '$lib/api';
import { countedTime, secondsOf } from './counted';
import type { Counted } from './counted';
import { countedLimit, limitsOf } from './limit';
import type { Limits } from './limit';

type Sender = Outputs['senders']['get'];

/** What can be set on a new sender and changed later, under the names of the API's inputs. */
export interface SenderValues {
	poolId: string;
	fromPolicy: Sender['fromPolicy'];
	limits: Counted;
	retryIntervalSeconds: Counted;
	maxAgeSeconds: Counted;
}

export function senderValues(sender?: Sender): SenderValues {
	return {
		poolId: sender?.poolId ?? '',
		fromPolicy: sender?.fromPolicy ?? 'address',
		limits: countedLimit(sender?.limits ?? null),
		retryIntervalSeconds: countedTime(sender?.retryIntervalSeconds ?? null, '60'),
		maxAgeSeconds: countedTime(sender?.maxAgeSeconds ?? null, '86400')
	};
}

type Sent = Pick<Inputs['senders']['create'], 'poolId' | 'fromPolicy' | 'retryIntervalSeconds' | 'maxAgeSeconds'> & {
	limits: Limits;
};

export function inputOf({ poolId, fromPolicy, limits, retryIntervalSeconds, maxAgeSeconds }: SenderValues): Sent {
	return {
		poolId,
		fromPolicy,
		limits: limitsOf(limits),
		retryIntervalSeconds: secondsOf(retryIntervalSeconds),
		maxAgeSeconds: secondsOf(maxAgeSeconds)
	};
}
