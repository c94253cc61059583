import { parseArgs } from 'node:util';
import { createLog } from '../lib/server/core/log.ts';
import { createHost } from '../lib/server/host/host.ts';
import { isInstalled, openApplier } from '../lib/server/policy/applier/open.ts';
import { readPlaces, withPrograms } from '../lib/server/policy/applier/places.ts';
import { runApplier } from '../lib/server/policy/applier/turn.ts';

/**
 * The short-lived process of root that does what the panel has no right to: kumomta-ui-applier.service starts it when a
 * request lies in its inbox. It reads no environment and no database. `--prepare` only makes its directories and its key;
 * `--places <file>` is for tests: a file of root's.
 */
async function main(): Promise<void> {
	process.umask(0o077);
	const log = createLog('info');
	const { values } = parseArgs({ options: { prepare: { type: 'boolean' }, places: { type: 'string' } } });
	const places = values.places === undefined ? withPrograms(isInstalled) : readPlaces(values.places);
	const host = createHost();
	const web = host.findUser(places.webUser);
	if (web === undefined) throw new Error(`There is no user ${places.webUser}.`);
	const applier = await openApplier(places, { host, log });
	if (values.prepare === true) return;
	await runApplier(applier, web.uid);
}

main().then(
	() => process.exit(0),
	(error: unknown) => {
		process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
		process.exit(1);
	}
);
