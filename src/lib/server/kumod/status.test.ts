import { afterAll, beforeAll, expect, it } from 'vitest';
import { caller, openTestApp, testClock } from '../../../../tests/support/app.ts';
import { startKumodDouble } from '../../../../tests/support/kumod-http-double.ts';
import type { KumodDouble } from '../../../../tests/support/kumod-http-double.ts';
import { createKumod } from './client.ts';

let double: KumodDouble;
beforeAll(async () => void (double = await startKumodDouble()));
afterAll(() => double.close());

it('says what the last poll found, and asks nobody', async () => {
	const clock = testClock();
	const app = await openTestApp({ clock: clock.now, kumod: createKumod(double.url) });
	const ask = () => caller(app).kumod.status();
	const nothing = { detail: null, version: null, lastSeenAt: null, restartedAt: null, isInstalled: false };
	expect(await ask()).toEqual({ ...nothing, state: 'never', sinceAt: clock.now() });
	clock.advance(1000);
	await app.metrics.poll();
	const answering = { state: 'answering', sinceAt: clock.now(), lastSeenAt: clock.now() };
	expect(await ask()).toEqual({ ...nothing, ...answering, version: '2026.03.04-bb93ecb1' });

	double.script.metrics = 'stalls';
	const stalled = app.metrics.poll();
	const asked = double.requests.length;
	expect(await ask()).toMatchObject(answering);
	expect(double.requests.length - asked).toBeLessThanOrEqual(1);
	app.metrics.close();
	await stalled;
	expect(await ask()).toMatchObject(answering);
});
