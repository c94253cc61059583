import { openApp } from '../../src/lib/server/app.ts';
import { createBackup } from '../../src/lib/server/backup/create.ts';
import { readEnv } from '../../src/lib/server/core/env.ts';
import { Secret } from '../../src/lib/server/core/secret.ts';
import { createHost } from '../../src/lib/server/host/host.ts';

/** Backs up a panel and ends by SIGKILL at the fault point with the given number; `done` when it is never reached. */
const [dataDir = '', number = '0'] = process.argv.slice(2);
let left = Number(number);
const app = await openApp(readEnv({ DATA_DIR: dataDir, KUMOMTA_ROOT: `${dataDir}/kumomta` }), {
	host: createHost((name) => {
		if (name.startsWith('backup.') && left-- === 0) process.kill(process.pid, 'SIGKILL');
	})
});
await createBackup(app, { sealWith: { passphrase: new Secret('a long enough passphrase') } });
app.close();
process.stdout.write('done');
