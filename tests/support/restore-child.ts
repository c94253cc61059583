import { Secret } from '../../src/lib/server/core/secret.ts';
import { placesBelow } from '../../src/lib/server/backup/places.ts';
import { restore } from '../../src/lib/server/backup/restore.ts';

/** Restores a file and ends by SIGKILL at the fault point with the given number; `done` when it is never reached. */
const [file = '', dataDir = '', number = '0'] = process.argv.slice(2);
let left = Number(number);
await restore({
	file,
	openWith: { passphrase: new Secret('a long enough passphrase') },
	places: placesBelow(dataDir),
	owners: {},
	at: Date.UTC(2026, 0, 6),
	faultPoint: () => {
		if (left-- === 0) process.kill(process.pid, 'SIGKILL');
	}
});
process.stdout.write('done');
