/** A process that reads KumoMTA's log, turn after turn, until it is killed. Prints a line before its first turn. */
import { writeSync } from 'node:fs';
import { openApp } from '../../src/lib/server/app.ts';
import { readEnv } from '../../src/lib/server/core/env.ts';
import { createLog } from '../../src/lib/server/core/log.ts';
import { feedbackTaker } from '../../src/lib/server/feedback/store.ts';
import { createLogTail } from '../../src/lib/server/mail-log/service.ts';

const app = await openApp(readEnv(process.env), { log: createLog('error') });
const tail = createLogTail(app, feedbackTaker(app));
writeSync(1, 'reading\n');
for (;;) await tail.turn();
