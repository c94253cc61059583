import type { Outputs } from '$lib/api';

export interface KumomtaWords {
	title: string;
	meaning: string;
}

/** What is to be said when KumoMTA does not answer; null when it does, or when there is none here. */
export function kumomtaWords(status: Outputs['kumod']['status'], now: number): KumomtaWords | null {
	const { state, sinceAt, isInstalled, lastSeenAt, detail } = status;
	if (state === 'answering') return null;
	if (state === 'refusing')
		return {
			title: `KumoMTA has refused the panel since ${clockTime(sinceAt, now)}.`,
			meaning: 'Mail is not affected. Look at the access to its HTTP API in Settings; an apply sets it anew.'
		};
	if (state === 'away')
		return {
			title: `KumoMTA has not answered since ${clockTime(sinceAt, now)}.`,
			meaning:
				'Mail it already has is not affected by the panel. While it is stopped it neither takes nor sends mail; everything here can still be edited.'
		};
	// Nothing was asked yet, or there is no KumoMTA to wait for.
	if (detail === null || (!isInstalled && lastSeenAt === null)) return null;
	return {
		title: `KumoMTA has not answered since the panel started at ${clockTime(sinceAt, now)}.`,
		meaning:
			'While it is stopped it neither takes nor sends mail. Look whether its service runs; everything here can still be edited.'
	};
}

/** "14:03", of another day "24 Nov, 14:03", in the reader's time zone. */
function clockTime(at: number, now: number): string {
	const time = { hour: '2-digit', minute: '2-digit' } as const;
	const isToday = new Date(at).toDateString() === new Date(now).toDateString();
	return new Date(at).toLocaleString('en-GB', isToday ? time : { day: 'numeric', month: 'short', ...time });
}
