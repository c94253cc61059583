import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../../src/lib/server/core/log.ts';
import type { FaultPoint } from '../../src/lib/server/host/files.ts';
import { createKumod } from '../../src/lib/server/kumod/client.ts';
import { packLines, unpackLines } from '../../src/lib/server/policy/applier/lines.ts';
import { openApplier } from '../../src/lib/server/policy/applier/open.ts';
import type { Applier } from '../../src/lib/server/policy/applier/applier-parts.ts';
import type { Places } from '../../src/lib/server/policy/applier/places.ts';
import { runApplier } from '../../src/lib/server/policy/applier/turn.ts';
import { openTestApp, temporaryDirectory, testClock } from './app.ts';
import type { TestApp } from './app.ts';
import { absentKumod, nobodyThere, testHost } from './policy-app.ts';

/** A panel and its applier in one process, each with its own directories, as if they were two users. */
export interface SplitPanel {
	app: TestApp;
	places: Places;
	/** Lets the applier run whenever something waits, as its path unit does. */
	serve(): void;
	/** Waits for what it does, and starts it no more. */
	rest(): Promise<void>;
	/** Once, over what waits now. */
	once(): Promise<void>;
	open(): Promise<Applier>;
	appliersLog: string[];
}

interface Options {
	/** Of the applier. */
	faultPoint?: FaultPoint;
	/** Of the panel. */
	panelFaultPoint?: FaultPoint;
	kumodApi?: string;
	kumodBin?: string;
	clock?: () => number;
}

const pace = { lookEvery: 10, linger: 0, settleEvery: 50 };

/** Short waits: nobody is there to answer, or a double that answers at once. */
const patience = { validateMs: 10_000, aliveMs: 2000, loadedMs: 2000, greetMs: 2000, pauseMs: 20 };

export async function openSplit({
	faultPoint,
	panelFaultPoint,
	kumodApi = nobodyThere,
	kumodBin,
	clock = testClock().now
}: Options = {}): Promise<SplitPanel> {
	const base = temporaryDirectory();
	const places: Places = {
		...{ webUser: '', kumodApi, kumodBin, dovecotBin: undefined, imapPort: 993, pop3Port: 995 },
		inbox: join(base, 'inbox'),
		results: join(base, 'results'),
		dataDir: join(base, 'nothing'),
		kumomtaRoot: join(base, 'kumomta'),
		mailRoot: join(base, 'mail'),
		dovecotEtc: join(base, 'dovecot')
	};
	for (const path of [places.inbox, places.kumomtaRoot]) mkdirSync(path, { mode: 0o700 });
	const appliersLog: string[] = [];
	const host = testHost(faultPoint);
	const log = createLog('debug', (line) => appliersLog.push(line));
	const kumod = createKumod(kumodApi);
	const open = () => openApplier(places, { host, log, kumod, clock, patience });
	const app = await openTestApp({
		clock,
		host: testHost(panelFaultPoint),
		kumod: absentKumod(),
		env: {
			APPLIER_DIR: places.inbox,
			APPLIER_RESULTS: places.results,
			KUMOMTA_ROOT: places.kumomtaRoot,
			MAIL_ROOT: places.mailRoot
		}
	});
	await open();
	const once = async () => runApplier(await open(), process.getuid?.() ?? -1, pace);
	let serving: Promise<void> | undefined;
	let isServing = false;
	return {
		...{ app, places, once, open, appliersLog },
		serve() {
			isServing = true;
			serving = (async () => {
				while (isServing) {
					await once();
					await sleep(10);
				}
			})();
		},
		async rest() {
			isServing = false;
			await serving;
		}
	};
}

/** The bytes of a request with these lines. */
export async function packed(values: unknown[]): Promise<Buffer> {
	const out = new PassThrough();
	const [bytes] = await Promise.all([buffer(out), packLines(values, out)]);
	return bytes;
}

export async function unpacked(bytes: Buffer): Promise<unknown[]> {
	return Array.fromAsync(unpackLines(Readable.from([bytes])));
}

let lastNumber = 9_000_000_000_000_000;

/** Lays a request into the inbox as a panel would that is in somebody else's hands. @returns its path */
export function layRequest(
	{ inbox }: Pick<Places, 'inbox'>,
	bytes: Buffer | undefined,
	number = (lastNumber += 1)
): string {
	const requests = join(inbox, 'requests');
	mkdirSync(requests, { recursive: true, mode: 0o700 });
	const path = join(requests, String(number));
	if (bytes !== undefined) writeFileSync(path, bytes, { mode: 0o600 });
	return path;
}
