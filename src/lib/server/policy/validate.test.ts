import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../../../../tests/support/app.ts';
import { makeKumodExecutableDouble, positionForms } from '../../../../tests/support/kumod-executable-double.ts';
import { testHost } from '../../../../tests/support/policy-app.ts';
import { positions, validatePolicy } from './validate.ts';

const short = '/srv/etc/policy/init.lua.staged-2';
const long = '/var/lib/kumomta-ui/a-long-way-down/kumomta/etc/policy/init.lua.staged-12';
const program = '/var/lib/kumomta-ui/a-long-way-down/kumomta/etc/policy/revisions/12-0a1b2c3d4e5f/program.lua';

it.each([
	['a short policy file', short, positionForms.policy(short, 2), 'init.lua.staged-2', 2],
	['a policy file cut at its end', long, positionForms.policy(long, 12), 'init.lua.staged-12', 12],
	['a short file', short, positionForms.file('/srv/etc/policy/custom.lua', 7), 'custom.lua', 7],
	['a file cut at its start', long, positionForms.file(program, 345), 'program.lua', 345],
	['a data file', short, '/srv/policy/shaping.toml:3: expected a table', 'shaping.toml', 3]
])('the position in %s is found on either stream', (_what, policyFile, text, file, line) => {
	const found = [{ file, line }];
	expect(positions({ stdout: '', stderr: `Error: Caused by:\n  0: ${text}\n` }, policyFile)).toEqual(found);
	expect(positions({ stdout: `${text}\n${text}\n`, stderr: '' }, policyFile)).toEqual(found);
});

it('cuts as Lua does', () => {
	expect(positionForms.file(program, 1).split(':')[0]).toHaveLength(59);
	expect(positionForms.policy(long, 1).split(']')[0]).toHaveLength(58);
});

it.each(['', 'Error: Validation failed', 'at 12:30:05: nothing', '[string "x\ny"]:3: two lines'])(
	'%j names no position',
	(text) => expect(positions({ stdout: text, stderr: text }, short)).toEqual([])
);

it.each(['stdout', 'stderr'] as const)('kumod’s finding on %s becomes a file and a line', async (stream) => {
	const { double, policy, run } = stagedPolicy();
	double.set({ validate: 1, [stream]: `Error: Caused by:\n  ${positionForms.policy(policy, 12)}\n` });
	const { status, output } = await run(5000);
	expect(status).toBe('failed');
	expect(output).toContain('At init.lua.staged-2 line 12.');
	expect(output).toContain(`${stream}:\nError: Caused by:`);
});

it('a kumod that starts slowly is waited for, one that hangs is not', async () => {
	const { double, run } = stagedPolicy();
	double.set({ startsAfterMs: 300 });
	expect((await run(10_000)).status).toBe('ok');
	double.set({ startsAfterMs: 0, validate: 'hang' });
	expect((await run(500)).output).toContain('did not finish in 0.5 s and was ended');
});

it('the double knows --script, and arguments that kumod does not know as little as it does', async () => {
	const { double, policy } = stagedPolicy();
	double.set({ stdout: '{"answer":42}\n' });
	const limits = { timeoutMs: 5000, maxBytes: 1000 };
	const script = await testHost().run(double.bin, ['--policy', policy, '--script', '--', '--validate'], limits);
	expect(script).toMatchObject({ code: 0, stdout: '{"answer":42}\n' });
	expect((await testHost().run(double.bin, ['--policy', policy], limits)).code).toBe(2);
	expect((await testHost().run(double.bin, ['--policy', `${policy}.absent`, '--script'], limits)).code).toBe(1);
	expect(double.calls()).toHaveLength(3);
});

function stagedPolicy() {
	const directory = temporaryDirectory();
	const policy = join(directory, 'init.lua.staged-2');
	writeFileSync(policy, '');
	const double = makeKumodExecutableDouble(directory);
	return { double, policy, run: (timeoutMs: number) => validatePolicy(testHost(), double.bin, policy, timeoutMs) };
}
