import { createHash } from 'node:crypto';

/**
 * The name of a source in KumoMTA: `<slug>-<6 hex of address and EHLO name>`. Running ready queues keep their source
 * object, so a source with another address or greeting must have another name there.
 */
export function kumoSourceName({ name, address, ehloDomain }: KumoNamed): string {
	const slug = name
		.toLowerCase()
		.replaceAll(/[^a-z0-9]+/g, '-')
		.slice(0, 64)
		.replaceAll(/^-+|-+$/g, '');
	const mark = createHash('sha256').update(`${address} ${ehloDomain}`).digest('hex').slice(0, 6);
	return `${slug === '' ? 'source' : slug}-${mark}`;
}

interface KumoNamed {
	name: string;
	address: string;
	ehloDomain: string;
}
