import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestApp } from '../../../../../tests/support/app.ts';
import type { TestApp } from '../../../../../tests/support/app.ts';
import { makeKumodExecutableDouble } from '../../../../../tests/support/kumod-executable-double.ts';
import type { KumodExecutableDouble } from '../../../../../tests/support/kumod-executable-double.ts';
import { absentKumod, fillEstate, testHost } from '../../../../../tests/support/policy-app.ts';
import { assetPath } from '../../core/assets.ts';
import { closeCompiler } from '../compile.ts';
import { waitForPending } from '../service.ts';
import { playInKumod } from './in-kumod.ts';
import { simulate as input } from './inputs.ts';
import { prepareRun } from './kumod-run.ts';
import { closeSimulator, simulate } from './service.ts';
import { openSimulator } from './simulator.ts';
import { metaNames } from './steps.ts';

let app: TestApp;
let bare: TestApp;
let kumod: KumodExecutableDouble;
let directory: string;
const own = 's000001@d00000.example';

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), 'kumomta-ui-test-'));
	kumod = makeKumodExecutableDouble(directory);
	app = await openTestApp({ host: testHost(), kumod: absentKumod(), env: { KUMOD_BIN: kumod.bin } });
	bare = await openTestApp({ host: testHost(), kumod: absentKumod() });
	for (const { database, keys } of [app, bare])
		await fillEstate({ client: database.client, keys }, { domains: 3, senders: 60 });
});
beforeEach(() =>
	kumod.set({ script: 'run', scriptLines: null, stdout: '', stderr: '', startsAfterMs: 0, withoutMx: [] })
);
afterEach(() => expect(readdirSync(tmpdir()).filter((name) => name.startsWith('kumomta-ui-simulation-'))).toEqual([]));
afterAll(async () => {
	for (const each of [app, bare]) {
		await closeSimulator(each);
		await closeCompiler(each);
	}
	rmSync(directory, { recursive: true, force: true });
});

const messageOf = (changes: Record<string, unknown> = {}) =>
	input.parse({
		arrival: { via: 'smtp', listener: 'submission', clientAddress: '203.0.113.5', authenticatedAs: own },
		mailFrom: own,
		recipients: ['someone@gmail.com'],
		headers: [{ name: 'From', value: own }],
		...changes
	});
const play = (changes?: Record<string, unknown>) => simulate(app, messageOf(changes));
type Played = Awaited<ReturnType<typeof play>>;
const unknown = ({ unknowns }: Played, code: string) => unknowns.find((each) => each.code === code)?.text;
const smtp = (listener: string, authenticatedAs?: string) => ({
	arrival: {
		via: 'smtp',
		listener,
		clientAddress: '203.0.113.5',
		...(authenticatedAs === undefined ? {} : { authenticatedAs })
	}
});

describe('where KumoMTA is installed, a simulation runs in it', () => {
	it.each<[what: string, changes: Record<string, unknown>]>([
		['accepted', {}],
		['to several recipients', { recipients: ['a@gmail.com', 'b@GMAIL.com', 'c@web.de', 'd@x.mailbox.internal'] }],
		['with a wrong login', smtp('submission', 'nobody@d00000.example')],
		['without a login', smtp('submission')],
		['with a login where none is taken', smtp('inbound', own)],
		['from the null sender', { mailFrom: '' }],
		['with a foreign From', { headers: [{ name: 'From', value: 'x@elsewhere.example' }] }],
		['with two From', { headers: [1, 2].map(() => ({ name: 'From', value: own })) }],
		['from outside', { ...smtp('inbound'), mailFrom: 'a@elsewhere.example' }],
		['over HTTP', { arrival: { via: 'http', clientAddress: '127.0.0.1', authenticatedAs: own } }],
		['over HTTP from a trusted address', { arrival: { via: 'http', clientAddress: '127.0.0.1' } }],
		['over HTTP from elsewhere', { arrival: { via: 'http', clientAddress: '203.0.113.5' } }]
	])('as in the double: %s', async (_, changes) => {
		const there = await play(changes);
		const here = await simulate(bare, messageOf(changes));
		expect(there.engine).toBe('kumod');
		expect(here.engine).toBe('double');
		const withoutLimits = (answer: Played) =>
			JSON.parse(
				JSON.stringify({ ...answer, engine: '', unknowns: [], hash: '' }).replaceAll(
					/"pathLimits":(?:null|\[[^\]]*\])/g,
					'"pathLimits":0'
				)
			);
		expect(withoutLimits(there)).toEqual(withoutLimits(here));
	});

	it('with the limits of each path, in one run, by a script that is gone afterwards', async () => {
		const before = kumod.calls().length;
		const answer = await play();
		expect(answer.recipients[0]?.message?.sources[0]?.pathLimits).toEqual([{ name: 'connection_limit', limit: '10' }]);
		expect(unknown(answer, 'path-limits')).toBeUndefined();
		expect(kumod.calls().length).toBe(before + 1);
		const call = kumod.calls().at(-1) ?? [];
		expect(call[0]).toBe('--policy');
		expect(call.slice(2)).toEqual(['--script']);
		expect(existsSync(dirname(call[1] ?? ''))).toBe(false);
	});

	it('and says what is the panel’s in it, and which keys were not there', async () => {
		const answer = await play();
		expect(unknown(answer, 'engine')).toContain('ran in KumoMTA');
		expect(unknown(answer, 'engine')).toContain('The conversation around it is the panel’s');
		expect(unknown(answer, 'key-file')).toContain('k1 of d00000.example');
		expect(answer.recipients[0]?.message?.signatures[0]).toMatchObject({ selector: 'k1', domain: 'd00000.example' });
	});

	it('a domain without MX has no limits, which is said', async () => {
		kumod.set({ withoutMx: ['web.de'] });
		const answer = await play({ recipients: ['a@gmail.com', 'b@web.de', 'c@--user', "d@x';os.exit()"] });
		expect(answer.engine).toBe('kumod');
		const limits = answer.recipients.map(({ message }) => message?.sources[0]?.pathLimits ?? null);
		expect(limits).toEqual([[{ name: 'connection_limit', limit: '10' }], null, null, null]);
		expect(unknown(answer, 'path-limits')).toContain('not say them for every destination');
	});

	it('what custom.lua prints is no answer', async () => {
		kumod.set({ stdout: 'kumomta-ui-0000 {"at":1,"answer":{"kind":"value"}}\nprinted\n' });
		expect(await play()).toMatchObject({ engine: 'kumod', verdict: 'accepted' });
	});
});

describe('is answered by the double, with the reason, when KumoMTA', () => {
	it.each<[what: string, behaviour: Parameters<KumodExecutableDouble['set']>[0], says: string]>([
		['refuses the script', { script: 1, stderr: 'Error: /secret/path' }, 'kumod ended with code 1'],
		['crashes', { script: 'signal' }, 'kumod ended with a signal'],
		['says nothing', { script: 0 }, 'kumod did not answer every step'],
		['stops in the middle', { script: 0, scriptLines: 3 }, 'kumod did not answer every step'],
		['crashes in the middle', { script: 'signal', scriptLines: 3 }, 'kumod ended with a signal']
	])('%s', async (_, behaviour, says) => {
		kumod.set(behaviour);
		const answer = await play();
		expect(answer).toMatchObject({ engine: 'double', verdict: 'accepted' });
		expect(answer.recipients[0]?.message?.sources[0]?.pathLimits).toBeNull();
		for (const code of ['engine', 'path-limits'])
			expect(unknown(answer, code)).toContain(`KumoMTA was asked, but ${says}`);
		expect(JSON.stringify(answer)).not.toContain('/secret');
	});

	it('cannot be run', async () => {
		const away = await openTestApp({
			host: testHost(),
			kumod: absentKumod(),
			env: { KUMOD_BIN: join(directory, 'none') }
		});
		await fillEstate({ client: away.database.client, keys: away.keys }, { domains: 1, senders: 2 });
		const answer = await simulate(away, messageOf());
		expect(unknown(answer, 'engine')).toContain('kumod cannot be run (ENOENT)');
		await closeSimulator(away);
		await closeCompiler(away);
	});

	it('has too many simulations before it; the others wait for each other', async () => {
		kumod.set({ startsAfterMs: 400 });
		const answers = await Promise.all(Array.from({ length: 7 }, () => play()));
		const engines = answers.map(({ engine }) => engine);
		expect(engines.filter((engine) => engine === 'kumod').length).toBeGreaterThanOrEqual(4);
		const busy = answers.filter(({ engine }) => engine === 'double');
		for (const answer of busy) expect(unknown(answer, 'engine')).toContain('it is busy with other simulations');
		expect(busy.length).toBeGreaterThan(0);
	});
});

it('the limits of paths that came before it broke off are kept, since the message was answered whole', async () => {
	const whole = await play({ recipients: ['a@gmail.com', 'b@web.de'] });
	expect(whole.engine).toBe('kumod');
	kumod.set({ withoutMx: ['gmail.com', 'web.de'], script: 'signal', scriptLines: 100 });
	const cut = await play({ recipients: ['a@gmail.com', 'b@web.de'] });
	expect(cut).toMatchObject({ engine: 'kumod', verdict: 'accepted' });
	expect(unknown(cut, 'path-limits')).toBeDefined();
});

describe('what KumoMTA answers decides, not the double', () => {
	const revisions: Record<'here' | 'there', string> = { here: '', there: '' };
	async function write(name: keyof typeof revisions, customLua: string | undefined) {
		const pending = await waitForPending(app);
		revisions[name] = join(directory, name, pending.manifest.revision);
		rmSync(revisions[name], { recursive: true, force: true });
		mkdirSync(revisions[name], { recursive: true });
		await pending.writeTo(revisions[name], { revision: pending.manifest.revision });
		pending.release();
		if (customLua !== undefined) writeFileSync(join(revisions[name], 'custom.lua'), customLua);
	}
	/** The double runs one revision, kumod another. */
	async function playApart(changes: Record<string, unknown> = {}, limitMs?: number) {
		const simulator = openSimulator(revisions.here);
		const first = await simulator.play(messageOf(changes), []);
		const run = await prepareRun(app.host, kumod.bin, revisions.there);
		const before = kumod.calls().length;
		const simulation = await playInKumod(
			app,
			run,
			first,
			(known) => simulator.play(messageOf(changes), known),
			limitMs
		);
		await simulator.close();
		return { simulation, first: first.simulation, runs: kumod.calls().length - before };
	}
	const refusing = `local kumo = require 'kumo'
		return { on_message = function(msg) kumo.reject(550, '5.7.1 said by custom.lua') end }`;
	const rerouting = `return { queue_config = function(params) params.egress_pool = 'warm' return params end }`;

	it.each<[what: string, here: string | undefined, there: string | undefined, answer: object, runs: number]>([
		[
			'a refusal',
			undefined,
			refusing,
			{ verdict: 'refused', recipients: [{ reply: { code: 550, text: '5.7.1 said by custom.lua' } }] },
			1
		],
		[
			'that it takes the message',
			refusing,
			undefined,
			{ verdict: 'accepted', recipients: [{ message: { pool: 'main' } }] },
			2
		],
		['another pool', undefined, rerouting, { verdict: 'accepted', recipients: [{ message: { pool: 'warm' } }] }, 2]
	])('%s', async (_, here, there, answer, runs) => {
		await write('here', here);
		await write('there', there);
		const played = await playApart();
		expect(played.simulation).toMatchObject({ engine: 'kumod', ...answer });
		expect(played.first).not.toMatchObject(answer);
		expect(played.runs).toBe(runs);
	});

	it('a failure of the policy there is a reply there', async () => {
		await write('here', undefined);
		await write('there', `return { on_message = function() error('broken') end }`);
		expect((await playApart()).simulation).toMatchObject({
			engine: 'kumod',
			verdict: 'refused',
			recipients: [{ rule: 'policy-error', reply: { code: 421 } }]
		});
	});

	it('when it hangs, its whole process group ends at the limit, and the double has answered', async () => {
		await write('here', undefined);
		await write('there', undefined);
		kumod.set({ script: 'hang' });
		const { simulation } = await playApart({}, 1200);
		expect(simulation).toMatchObject({ engine: 'double', verdict: 'accepted' });
		expect(unknown({ ...simulation, revision: null, hash: '' }, 'engine')).toContain('it did not answer in time');
	});

	it('when the configuration changes meanwhile, the answer is of what was asked', async () => {
		const simulator = openSimulator(revisions.here);
		const first = await simulator.play(messageOf(), []);
		const run = await prepareRun(app.host, kumod.bin, revisions.here);
		const simulation = await playInKumod(app, run, first, () => Promise.resolve(undefined));
		await simulator.close();
		expect(simulation).toMatchObject({ engine: 'double', verdict: 'accepted' });
		expect(JSON.stringify(simulation.unknowns)).toContain('the configuration was changed meanwhile');
	});
});

it('metas that the program sets are among those that the driver reads', () => {
	const program = readFileSync(assetPath('program.lua'), 'utf8');
	const set = [...program.matchAll(/msg:set_meta\('([a-z_]+)'/g)].map(([, name]) => name);
	expect(set.length).toBeGreaterThan(4);
	expect(metaNames).toEqual(expect.arrayContaining(set));
});
