import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestApp } from '../../../../../tests/support/app.ts';
import type { TestApp } from '../../../../../tests/support/app.ts';
import { makeKumodExecutableDouble } from '../../../../../tests/support/kumod-executable-double.ts';
import type { KumodExecutableDouble } from '../../../../../tests/support/kumod-executable-double.ts';
import { absentKumod, fillEstate, testHost } from '../../../../../tests/support/policy-app.ts';
import { closeCompiler } from '../compile.ts';
import { waitForPending } from '../service.ts';
import { openPolicy } from '../lua/vm.ts';
import { simulate as input } from './inputs.ts';
import { argumentsOf, limitsIn, pathScript } from './path-script.ts';
import { closeSimulator, simulate } from './service.ts';

let app: TestApp;
let kumod: KumodExecutableDouble;
let directory: string;
const own = 's000001@d00000.example';

beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), 'kumomta-ui-test-'));
	kumod = makeKumodExecutableDouble(directory);
	app = await openTestApp({ host: testHost(), kumod: absentKumod(), env: { KUMOD_BIN: kumod.bin } });
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 3, senders: 60 });
});
beforeEach(() => kumod.set({ script: 0, stdout: '', stderr: '', startsAfterMs: 0 }));
afterEach(() => expect(readdirSync(tmpdir()).filter((name) => name.startsWith('kumomta-ui-paths-'))).toEqual([]));
afterAll(async () => {
	await closeSimulator(app);
	await closeCompiler(app);
	rmSync(directory, { recursive: true, force: true });
});

const play = (recipients: string[] = ['someone@gmail.com'], changes: Record<string, unknown> = {}) =>
	simulate(
		app,
		input.parse({
			arrival: { via: 'smtp', listener: 'submission', clientAddress: '203.0.113.5', authenticatedAs: own },
			mailFrom: own,
			recipients,
			headers: [{ name: 'From', value: own }],
			...changes
		})
	);
const said = (at: number, config: unknown) => `kumomta-ui-path ${JSON.stringify({ at, config })}`;
const unknownPath = ({ unknowns }: Awaited<ReturnType<typeof play>>) =>
	unknowns.find(({ code }) => code === 'path-limits')?.text;

describe('where KumoMTA is installed, a simulation', () => {
	it('is told the limits of each path by kumod --script, and has them no longer among the unknowns', async () => {
		kumod.set({
			stdout: [
				'printed by custom.lua',
				said(1, { connection_limit: 10, max_message_rate: '100/s', ehlo_domain: 'x' })
			].join('\n')
		});
		const answer = await play();
		expect(answer.recipients[0]?.message?.sources).toMatchObject([
			{
				pathLimits: [
					{ name: 'connection_limit', limit: '10' },
					{ name: 'max_message_rate', limit: '100/s' }
				]
			}
		]);
		expect(unknownPath(answer)).toBeUndefined();
		expect(answer.engine).toBe('double');
		const [source] = answer.recipients[0]?.message?.sources ?? [];
		const call = kumod.calls().at(-1) ?? [];
		expect(call.slice(2)).toEqual(['--script', '--', 'gmail.com', source?.kumomtaName]);
		expect(existsSync(dirname(call[1] ?? ''))).toBe(false);
	});

	it('asks once for several recipients of one domain, and never for what DNS could not know', async () => {
		const before = kumod.calls().length;
		await play(['a@GMAIL.com', 'b@gmail.com', 'c@web.de', 'd@--user', 'e@[192.0.2.1]', "f@x';os.exit()"]);
		expect(kumod.calls().length).toBe(before + 1);
		const asked = kumod.calls().at(-1) ?? [];
		expect(asked.slice(asked.indexOf('--') + 1).filter((_, at) => at % 2 === 0)).toEqual(['gmail.com', 'web.de']);
	});

	it('asks nothing for a message that is refused', async () => {
		const before = kumod.calls().length;
		expect(await play(undefined, { mailFrom: '' })).toMatchObject({ verdict: 'refused' });
		expect(kumod.calls().length).toBe(before);
	});

	it.each<[what: string, behaviour: Parameters<KumodExecutableDouble['set']>[0], says: string]>([
		['refuses the script', { script: 1, stderr: 'Error: /secret/path' }, 'kumod ended with code 1'],
		['crashes', { script: 'signal' }, 'kumod ended with a signal'],
		['says nothing', {}, 'does not say them for every destination'],
		['says half a line', { stdout: said(1, { connection_limit: 1 }).slice(0, -4) }, 'does not say them'],
		['says something else', { stdout: said(1, 'no') }, 'does not say them']
	])('is answered all the same when KumoMTA %s', async (_, behaviour, says) => {
		kumod.set(behaviour);
		const answer = await play();
		expect(answer).toMatchObject({ verdict: 'accepted' });
		expect(answer.recipients[0]?.message?.sources[0]?.pathLimits).toBeNull();
		expect(unknownPath(answer)).toContain(says);
		expect(JSON.stringify(answer)).not.toContain('/secret');
	});
});

it('without KumoMTA nothing is run, and the limits are unknown', async () => {
	const bare = await openTestApp({ host: testHost(), kumod: absentKumod() });
	await fillEstate({ client: bare.database.client, keys: bare.keys }, { domains: 1, senders: 2 });
	const before = kumod.calls().length;
	const answer = await simulate(
		bare,
		input.parse({
			arrival: { via: 'http', clientAddress: '127.0.0.1' },
			mailFrom: own,
			recipients: ['a@gmail.com'],
			headers: [{ name: 'From', value: own }]
		})
	);
	expect(answer.recipients[0]?.message?.sources[0]?.pathLimits).toBeNull();
	expect(unknownPath(answer)).toContain('traffic shaping');
	expect(kumod.calls().length).toBe(before);
	await closeSimulator(bare);
	await closeCompiler(bare);
});

describe('the script', () => {
	it('is Lua that asks the revision’s own handler, in the double of KumoMTA’s interfaces', async () => {
		const pending = await waitForPending(app);
		const copy = join(directory, pending.manifest.revision);
		await app.host.files.makeDirectory(copy, { mode: 0o700 });
		await pending.writeTo(copy, { revision: pending.manifest.revision });
		pending.release();
		const source = pending.manifest.sources[0]?.kumoName ?? '';
		const paths = [
			{ domain: 'gmail.com', source },
			{ domain: 'web.de', source }
		];
		const policy = await openPolicy(copy, { hasMx: (domain) => domain !== 'web.de' });
		// The program is loaded already; events of scripts and JSON are not in the double.
		policy.evaluate(`
			local real, lines, main = require 'kumo', {}, nil
			local function encode(t)
				return ('{"at":%d,"config":{"connection_limit":%s}}'):format(t.at, t.config.connection_limit or '"none"')
			end
			local function on(name, handler) assert(name == 'main') main = handler end
			local kumo = setmetatable({ on = on, serde = { json_encode = encode } }, { __index = real })
			local function require() return kumo end
			local function dofile(path) assert(path == '${copy}/program.lua') end
			local function print(line) lines[#lines + 1] = line end
			${pathScript(copy)}
			main(${argumentsOf(paths)
				.map((word) => `'${word}'`)
				.join(', ')})
			SAID = table.concat(lines, '\\n')
		`);
		expect(limitsIn(String(policy.evaluate('return SAID')), paths)).toEqual([
			[{ name: 'connection_limit', limit: expect.any(String) }],
			undefined
		]);
		policy.close();
	});

	it('is not written for a directory whose name could leave its quotes', () => {
		expect(() => pathScript("/tmp/x' os.exit() --")).toThrow('may not stand in Lua');
	});
});

it.each<[what: string, output: string, limits: unknown]>([
	['nothing', '', [undefined]],
	[
		'numbers and texts',
		said(1, { connection_limit: 3, max_connection_rate: '5/min' }),
		[
			[
				{ name: 'connection_limit', limit: '3' },
				{ name: 'max_connection_rate', limit: '5/min' }
			]
		]
	],
	[
		'a provider’s shared limits',
		said(1, { additional_connection_limits: { 'shaping-provider-google': 'local:7' } }),
		[[{ name: 'shaping-provider-google', limit: 'local:7' }]]
	],
	['no limit at all', said(1, {}), [[]]],
	['the path of somebody else', said(3, { connection_limit: 1 }), [undefined]],
	['hostile values', said(1, { connection_limit: { x: 1 }, max_message_rate: 'x'.repeat(201) }), [[]]]
])('reads %s', (_, output, limits) => {
	expect(limitsIn(output, [{ domain: 'gmail.com', source: 'a-000000' }])).toEqual(limits);
});
