import { openApp } from '../../src/lib/server/app.ts';
import { readEnv } from '../../src/lib/server/core/env.ts';
import { createLog } from '../../src/lib/server/core/log.ts';
import { estateInput, fillDatabase } from '../support/estate.ts';

// Arguments: data directory, domains, senders.
const [dataDir = '', domains, senders] = process.argv.slice(2);
const app = await openApp(readEnv({ DATA_DIR: dataDir }), { log: createLog('error') });
await fillDatabase(app.database.client, estateInput({ domains: Number(domains), senders: Number(senders) }));
app.close();
