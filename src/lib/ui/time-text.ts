const steps: [Intl.RelativeTimeFormatUnit, number][] = [
	['year', 31_557_600_000],
	['month', 2_629_800_000],
	['day', 86_400_000],
	['hour', 3_600_000],
	['minute', 60_000]
];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** "2 minutes ago", "in 3 days"; under a minute "just now". Both in milliseconds UTC. */
export function relativeTime(at: number, now: number): string {
	const distance = at - now;
	for (const [unit, size] of steps) {
		if (Math.abs(distance) >= size) return relative.format(Math.trunc(distance / size), unit);
	}
	return distance > 5000 ? 'in a moment' : 'just now';
}

/** "24 Nov 2026, 14:04:09 GMT+1", in the reader's time zone. */
export function exactTime(at: number): string {
	return new Date(at).toLocaleString('en-GB', {
		day: 'numeric',
		month: 'short',
		year: 'numeric',
		hour: '2-digit',
		minute: '2-digit',
		second: '2-digit',
		timeZoneName: 'short'
	});
}
