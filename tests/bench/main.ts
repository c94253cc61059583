import { cpus } from 'node:os';
import { benchHandlers } from './handlers.ts';
import { benchHttp } from './http.ts';
import { benchHttpLists } from './http-lists.ts';
import { benchLists } from './lists.ts';
import { benchMailLog } from './mail-log.ts';
import { benchMailboxes } from './mailboxes.ts';
import { benchPolicy } from './policy.ts';
import type { Measurement } from './measurement.ts';
import { benchSuppression } from './suppression.ts';

const sections: [string, () => Promise<Measurement[]>][] = [
	['policy', benchPolicy],
	['handlers', benchHandlers],
	['lists', benchLists],
	['mail log', benchMailLog],
	['mailboxes', benchMailboxes],
	['suppression', benchSuppression],
	['server', benchHttp],
	['lists over HTTP', benchHttpLists]
];

const results: Record<string, (Measurement & { holds: boolean | null })[]> = {};
for (const [name, bench] of sections) {
	process.stderr.write(`${name} …\n`);
	results[name] = (await bench()).map((each) => ({
		...each,
		measured: Math.round(each.measured * 100) / 100,
		holds: holds(each)
	}));
}
process.stdout.write(`${JSON.stringify({ node: process.version, cpus: cpus().length, results }, null, '\t')}\n`);

function holds({ budget, measured, atLeast }: Measurement): boolean | null {
	if (budget === null) return null;
	return atLeast ? measured >= budget : measured <= budget;
}
