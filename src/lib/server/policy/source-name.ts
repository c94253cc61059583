import { createHash } from 'node:crypto';

/**
 * The name by which KumoMTA knows an egress source: `<slug>-<6 hex of address and EHLO name>`. Running ready queues keep
 * the source object they began with, so an edited source must be another name.
 */
export function kumoSourceName({
	name,
	address,
	ehloDomain
}: {
	name: string;
	address: string;
	ehloDomain: string;
}): string {
	const slug = name
		.toLowerCase()
		.replaceAll(/[^a-z0-9]+/g, '-')
		.slice(0, 60)
		.replaceAll(/^-+|-+$/g, '');
	const mark = createHash('sha256').update(`${address} ${ehloDomain}`).digest('hex').slice(0, 6);
	return `${slug || 'source'}-${mark}`;
}
