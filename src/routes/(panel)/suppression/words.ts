import type { Outputs } from '$lib/api';
import type { BadgeKind } from '$lib/ui/badge-kind';

export type Entry = Outputs['suppression']['list']['items'][number];
export type Reason = Entry['reason'];

export const reasonWords: Record<Reason, { word: string; badge: BadgeKind; meaning: string }> = {
	'hard-bounce': {
		word: 'hard bounce',
		badge: 'bad',
		meaning: 'The other server said that this address does not take mail. More mail to it harms your reputation.'
	},
	'soft-bounce': {
		word: 'soft bounce',
		badge: 'warn',
		meaning: 'Mail failed several times, for a reason that may pass. The entry ends by itself.'
	},
	complaint: {
		word: 'complaint',
		badge: 'bad',
		meaning: 'The recipient reported mail as unwanted. Do not write to this person again.'
	},
	manual: { word: 'by hand', badge: 'neutral', meaning: 'Somebody put it here.' },
	import: { word: 'import', badge: 'neutral', meaning: 'It came with an imported list.' }
};

export const reasons = Object.keys(reasonWords) as Reason[];
export const reasonOf = (text: string | null): Reason | undefined => reasons.find((each) => each === text);
