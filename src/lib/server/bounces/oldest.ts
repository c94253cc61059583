import type { Message } from './maildir.ts';

/** Keeps the oldest `most` of however many messages it is shown, in little memory. */
export function createOldest(most: number) {
	let kept: Message[] = [];
	/** Once `most` are kept: what is newer than the newest of them is not looked at again. */
	let newest = Infinity;

	function shrink(): void {
		kept.sort((a, b) => a.at - b.at);
		if (kept.length < most) return;
		kept = kept.slice(0, most);
		newest = kept.at(-1)?.at ?? Infinity;
	}

	return {
		add(message: Message): void {
			if (message.at >= newest) return;
			kept.push(message);
			if (kept.length >= 2 * most) shrink();
		},
		/** The oldest first. */
		take(): Message[] {
			shrink();
			return kept;
		}
	};
}
