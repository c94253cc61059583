/**
 * The applier as root, which kills itself at one of the moments between two writes. Arguments: the file of its places, and
 * the moment, counted from 1 (0: none). Prints each moment's name.
 */
import { writeSync } from 'node:fs';
import { createLog } from '../../src/lib/server/core/log.ts';
import { createHost } from '../../src/lib/server/host/host.ts';
import { openApplier } from '../../src/lib/server/policy/applier/open.ts';
import { readPlaces } from '../../src/lib/server/policy/applier/places.ts';
import { runApplier } from '../../src/lib/server/policy/applier/turn.ts';

const [file = '', deadly = '0'] = process.argv.slice(2);
process.umask(0o077);
let isApplying = false;
let moment = 0;

/** Counted from the first step of an apply on. */
function faultPoint(name: string): void {
	if (name.startsWith('step.')) isApplying = true;
	if (!isApplying) return;
	moment += 1;
	writeSync(1, `${name}\n`);
	if (moment === Number(deadly)) process.kill(process.pid, 'SIGKILL');
}

const places = readPlaces(file);
const host = createHost(faultPoint);
const web = host.findUser(places.webUser);
if (web === undefined) throw new Error(`There is no user ${places.webUser}.`);
const patience = { validateMs: 20_000, aliveMs: 5000, loadedMs: 5000, greetMs: 2000, pauseMs: 50 };
const applier = await openApplier(places, { host, log: createLog('error'), patience });
await runApplier(applier, web.uid, { lookEvery: 20, linger: 300, settleEvery: 200 });
