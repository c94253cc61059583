import { publicAddressOf } from './records.ts';
import type { ExpectedInput } from './records.ts';

/** Something the records cannot say: a value that is missing, or advice that goes with them. */
interface DnsNote {
	kind: 'missing' | 'info';
	message: string;
}

/** What keeps the list from being complete, and what stays as it is. */
export function dnsNotes(input: ExpectedInput): DnsNote[] {
	const { domain, keys, sources, hostname } = input;
	const hidden = sources.filter((source) => publicAddressOf(source) === undefined);
	const notes: (DnsNote | false)[] = [
		hostname === null &&
			missing(
				'This server has no host name yet, so there is no MX record for the bounce host. Bounces cannot come back. Enter the host name in Settings.'
			),
		sources.length === 0 &&
			missing(
				'There is no egress source yet, so there is no SPF record and no EHLO name to publish. Add a source and a pool.'
			),
		...hidden.map(({ address }) =>
			missing(
				`${address} is a private address: no receiver sees it, and it stands in no record. Enter the public address of this source.`
			)
		),
		!keys.some(({ state }) => state !== 'retired') &&
			missing('The domain has no DKIM key, so its mail is not signed. Make a key.'),
		hostname !== null &&
			!sources.some(({ ehloDomain }) => ehloDomain === hostname) &&
			info(`${hostname} needs an A or AAAA record with the address at which this server receives mail.`),
		domain.bounceHost !== domain.name &&
			info(`The MX of ${domain.name} is left alone: answers to your mail go where they go today.`)
	];
	return notes.filter((note) => note !== false);
}

const missing = (message: string): DnsNote => ({ kind: 'missing', message });
const info = (message: string): DnsNote => ({ kind: 'info', message });
