import type { QueuedMessage } from './inputs.ts';

/** KumoMTA's defaults (reference: kumo.make_queue_config): 20 minutes, doubled each time, seven days. */
const usual = { intervalSeconds: 20 * 60, maxAgeSeconds: 7 * 86_400 };

const units: Record<string, number> = { s: 1, sec: 1, m: 60, min: 60, h: 3600, hour: 3600, d: 86_400, day: 86_400 };

/** Seconds of a number or of a duration like `1 minute` or `3 days`; undefined when it is written in another way. */
export function secondsOf(value: unknown): number | undefined {
	if (typeof value === 'number') return Math.round(value);
	const [, count, unit = ''] = /^\s*(\d+)\s*([a-z]+)\s*$/i.exec(typeof value === 'string' ? value : '') ?? [];
	const size = units[unit.toLowerCase()] ?? units[unit.toLowerCase().replace(/(?:ute|ond)?s?$/, '')];
	return count === undefined || size === undefined ? undefined : Number(count) * size;
}

/**
 * When KumoMTA tries: at once, then after base · 2^n seconds, at most `max_retry_interval` apart, until `max_age`
 * (crates/kumod/src/queue/queue.rs). Null when custom.lua writes a duration that is not understood here.
 */
export function retryOf(config: Record<string, unknown>): QueuedMessage['retry'] {
	const given = (name: string) => (config[name] === undefined ? null : secondsOf(config[name]));
	const [interval, most, age] = [given('retry_interval'), given('max_retry_interval'), given('max_age')];
	if (interval === undefined || most === undefined || age === undefined) return null;
	const intervalSeconds = interval ?? usual.intervalSeconds;
	const maxAgeSeconds = age ?? usual.maxAgeSeconds;
	const attemptsAfter: number[] = [];
	for (let at = 0, wait = intervalSeconds; at < maxAgeSeconds && attemptsAfter.length < 12; wait *= 2) {
		attemptsAfter.push(at);
		at += Math.max(1, Math.min(wait, most ?? wait));
	}
	return { intervalSeconds, maxIntervalSeconds: most, maxAgeSeconds, attemptsAfter };
}
