/**
 * A process that applies the pending policy and kills itself at one of the moments between two writes.
 * Argument: the name of the moment, its number counted from 1 (0: none), or `step:number` counted from 0 in that step.
 * Prints each moment's name, then the outcome.
 */
import { openApp } from '../../src/lib/server/app.ts';
import { readEnv } from '../../src/lib/server/core/env.ts';
import { createLog } from '../../src/lib/server/core/log.ts';
import { createKumod } from '../../src/lib/server/kumod/client.ts';
import { applyPending } from '../../src/lib/server/policy/apply.ts';
import { closeCompiler } from '../../src/lib/server/policy/compile.ts';
import { getPreview } from '../../src/lib/server/policy/service.ts';
import { writeSync } from 'node:fs';
import { momentReader } from '../support/fault-aim.ts';
import { nobodyThere, testHost } from '../support/policy-app.ts';

const deadly = process.argv[2] ?? '0';
let moment = 0;
const read = momentReader();

function faultPoint(name: string): void {
	moment += 1;
	const { step, index } = read(name);
	writeSync(1, `${name}\n`);
	if (name === deadly || moment === Number(deadly) || `${step}:${index}` === deadly)
		process.kill(process.pid, 'SIGKILL');
}

const app = await openApp(readEnv(process.env), {
	host: testHost(faultPoint),
	kumod: createKumod(nobodyThere),
	log: createLog('error')
});
const { hash } = await getPreview(app);
const who = { actor: 'cli:0', name: 'the child', userId: null, sessionId: null };
const { outcome, revision } = await applyPending(app, who, { expectedHash: hash });
writeSync(1, `outcome ${outcome} ${revision}\n`);
await closeCompiler(app);
app.close();
