import { expect, it } from 'vitest';
import { positionForms } from '../../../../tests/support/kumod-executable-double.ts';
import { positions } from './validate.ts';

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
