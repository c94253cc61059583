import { existsSync, readFileSync } from 'node:fs';
import { assetPath } from '../../core/assets.ts';
import type { Log } from '../../core/log.ts';
import type { Host } from '../../host/host.ts';
import { createKumod } from '../../kumod/client.ts';
import type { Kumod } from '../../kumod/client.ts';
import { usualPatience } from '../probe.ts';
import { policyRoots } from '../roots.ts';
import { usualTimer } from '../watch.ts';
import type { Applier } from './applier-parts.ts';
import { credentialStore, openApplierKey } from './keys.ts';
import type { Places } from './places.ts';
import { openRecords } from './records.ts';

interface Given extends Partial<Pick<Applier, 'clock' | 'patience' | 'timer'>> {
	host: Host;
	log: Log;
	kumod?: Kumod;
}

/** Puts the applier together. Makes its directories and its key where they are missing. */
export async function openApplier(places: Places, given: Given): Promise<Applier> {
	const { host, log, kumod = createKumod(places.kumodApi), clock = Date.now } = given;
	const { patience = usualPatience, timer = usualTimer } = given;
	const records = await openRecords(host, places.results);
	const key = await openApplierKey(host, records, places);
	const { mailRoot, dovecotEtc, dovecotBin, imapPort, pop3Port, kumodBin } = places;
	return {
		...{ host, kumod, clock, log, places, records, key, patience, timer },
		roots: policyRoots(places.kumomtaRoot),
		env: { mailRoot, dovecotEtc, dovecotBin, imapPort, pop3Port, kumodBin },
		credentials: credentialStore(host, records, key),
		program: readFileSync(assetPath('program.lua')),
		running: undefined
	};
}

/** Programs that are not there are not asked for. */
export const isInstalled = (path: string) => existsSync(path);
