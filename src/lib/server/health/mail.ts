import type { App } from '../app.ts';
import { isInside, sourceNames } from '../dns/service.ts';
import { defaultListeners } from '../policy/service.ts';
import { getSettings } from '../settings/service.ts';
import type { Settings } from '../settings/service.ts';
import { blocklistCheck } from './blocklists.ts';
import type { Check } from './check.ts';
import { judgeMailCertificate, judgeRelay, judgeReverse } from './judge-mail.ts';
import type { ListenerTrial } from './judge-mail.ts';

/** How others see the mail of this server. */
export const mailChecks: Check[] = [
	{
		id: 'open-relay',
		group: 'mail',
		title: 'Open relay',
		why: 'A server that takes mail from anybody to anybody sends spam within hours.',
		look: async (app) => judgeRelay(await tryListeners(app, await getSettings(app.db)))
	},
	{
		id: 'mail-certificate',
		group: 'mail',
		title: 'Certificate of submission',
		why: 'Mail programs check it before they hand over a password.',
		async look(app) {
			const settings = await getSettings(app.db);
			const trials = await tryListeners(app, settings, 'submission');
			const seen = trials.flatMap(({ address, port, trial }) =>
				trial === undefined || trial.result === 'failed' ? [] : [{ address, port, certificate: trial.certificate }]
			);
			return judgeMailCertificate({ hostname: settings.hostname, seen }, app.clock());
		}
	},
	{
		id: 'reverse-names',
		group: 'mail',
		title: 'Reverse names of sources',
		why: 'Gmail, Microsoft and others refuse mail from an address whose name does not lead back to it.',
		look: async (app) => judgeReverse(await sourceNames(app))
	},
	blocklistCheck
];

const maxListeners = 20;

/** One after another: a listener counts how many connections one address has. */
async function tryListeners(app: App, settings: Settings, only?: ListenerTrial['purpose']): Promise<ListenerTrial[]> {
	const listeners = (settings.listeners ?? defaultListeners).filter(({ purpose }) => purpose === (only ?? purpose));
	const trials: ListenerTrial[] = [];
	for (const listener of listeners.slice(0, maxListeners)) trials.push(await tryListener(app, settings, listener));
	return trials;
}

async function tryListener(
	{ host, kumod }: App,
	{ relayHosts }: Settings,
	listener: Pick<ListenerTrial, 'address' | 'port' | 'purpose'>
): Promise<ListenerTrial> {
	if (/^(?:127\.|::1$)/.test(listener.address)) return { ...listener, skipped: 'loopback' };
	const own = host.interfaces().filter(({ isLoopback }) => !isLoopback);
	const isWild = listener.address === '0.0.0.0' || listener.address === '::';
	const from = isWild
		? own.find(({ family }) => family === (listener.address === '::' ? 6 : 4))?.address
		: own.find(({ address }) => address === listener.address)?.address;
	if (from === undefined) return { ...listener, skipped: 'no-address' };
	if (listener.purpose === 'relay' && isInside(from, relayHosts)) return { ...listener, from, skipped: 'trusted' };
	const trial = await kumod.tryRelay({ address: from, port: listener.port, localAddress: from, timeoutMs: 5000 });
	return { ...listener, from, trial };
}
