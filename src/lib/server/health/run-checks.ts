import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.ts';
import { UserError } from '../core/errors.ts';
import { needsRoot, unknown } from './check.ts';
import type { Check, Finding } from './check.ts';

const limitMs = 30_000;

/** Runs one check. Never throws and never takes longer than its limit: what went wrong is a finding too. */
export async function runCheck(app: App, check: Check, timeoutMs = limitMs): Promise<Finding> {
	const ending = new AbortController();
	const late = sleep(timeoutMs, undefined, { signal: ending.signal, ref: false }).then(
		() => unknown(`This check did not end within ${timeoutMs / 1000} s.`, { mend: 'Run it again.' }),
		() => unknown('')
	);
	try {
		return await Promise.race([attempt(app, check), late]);
	} finally {
		ending.abort();
	}
}

async function attempt(app: App, check: Check): Promise<Finding> {
	try {
		return await check.look(app);
	} catch (error) {
		if (error instanceof UserError && error.detail.reason === 'no-permission')
			return needsRoot(check.id, 'What this check looks at');
		if (error instanceof UserError) return unknown(error.message);
		app.log.error('health check failed', { check: check.id, error });
		return unknown('This check ended with an error of its own. The panel’s log names it.', {
			command: 'journalctl -u kumomta-ui -n 50',
			mend: 'Report it with the line of the log.'
		});
	}
}
