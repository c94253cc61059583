/** A line on standard error that replaces itself; nothing at all when that is no terminal. */
export interface Progress {
	/** @param share how much is done, from 0 to 1; absent when nobody knows. */
	at(text: string, share?: number): void;
	end(): void;
}

const width = 24;

export function progress(what: string): Progress {
	const isShown = process.stderr.isTTY;
	return {
		at: (text, share) =>
			void (isShown && process.stderr.write(`\r\x1b[K${what} ${share === undefined ? '' : `${bar(share)} `}${text}`)),
		end: () => void (isShown && process.stderr.write('\r\x1b[K'))
	};
}

/** `[######··················]  25 %` */
export function bar(share: number): string {
	const within = Math.min(1, Math.max(0, share));
	const full = Math.round(within * width);
	return `[${'#'.repeat(full)}${'·'.repeat(width - full)}] ${String(Math.floor(within * 100)).padStart(3)} %`;
}
