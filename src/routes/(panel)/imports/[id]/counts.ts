import { counted } from '$lib/shared/counted';
import type { Outputs } from '$lib/api';

type Preview = Outputs['imports']['preview'];
type Result = Pick<Preview['summary'], 'domainsCreated' | 'sendersCreated' | 'sendersUpdated' | 'keysRequested'>;

/** What an import adds and changes, one line for each kind that is there. */
export function effectLines({ domainsCreated, sendersCreated, sendersUpdated, keysRequested }: Result): string[] {
	const lines: [number, string][] = [
		[domainsCreated, `${counted(domainsCreated, 'domain')} added`],
		[sendersCreated, `${counted(sendersCreated, 'sender')} added`],
		[sendersUpdated, `${counted(sendersUpdated, 'sender')} changed`],
		[keysRequested, `${counted(keysRequested, 'DKIM key')} made, in the background`]
	];
	return lines.filter(([count]) => count > 0).map(([, line]) => line);
}
