import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../../tests/support/app.ts';
import { testHost } from '../../../../tests/support/policy-app.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { initLines, readLive, revisionIn } from './live.ts';
import { policyRoots, prepareRoots } from './roots.ts';

const revision = '12-0a1b2c3d4e5f';

function emptyRoots() {
	const roots = policyRoots(temporaryDirectory());
	mkdirSync(roots.policy, { recursive: true });
	return roots;
}

describe('what is live', () => {
	const roots = emptyRoots();
	const lines = initLines(roots, revision);

	it.each([
		['our two lines', lines, 'ours'],
		['one more line of somebody else', `${lines}os.execute('x')\n`, 'edited'],
		['another directory behind our first line', lines.replace(/'[^']+'/, "'/tmp/evil'"), 'edited'],
		['our words, but not at the start', `\n${lines}`, 'foreign'],
		['a first line that is nearly ours', lines.replace(revision, '12-0A1B2C3D4E5F'), 'foreign'],
		['nothing at all', '', 'foreign']
	])('%s: %s', async (_, text, kind) => {
		writeFileSync(roots.init, text);
		expect((await readLive(testHost(), roots)).kind).toBe(kind);
	});

	it('is never read through a link', async () => {
		const linked = emptyRoots();
		symlinkSync('/etc/hostname', linked.init);
		expect(await refusalOf(readLive(testHost(), linked))).toMatchObject({ reason: 'symbolic-link' });
	});
});

describe('the two lines', () => {
	it.each(['12-0a1b2c3d4e5f/..', "12-0a1b2c3d4e5f'", '../12', '12-0a1b2c3d4e5f\n', ''])(
		'refuse the name %j',
		(name) => {
			expect(() => initLines(policyRoots('/srv/kumomta'), name)).toThrow();
		}
	);

	it('name their revision again', () => {
		expect(revisionIn(initLines(policyRoots('/srv/kumomta'), revision))).toEqual({ revision, number: 12 });
		expect(revisionIn(undefined)).toBeUndefined();
	});

	it.each(["/srv/o'brien", '/srv/a b', '/srv/a\nb', '/srv/"x"'])('are never made for the root %j', async (root) => {
		expect(await refusalOf(prepareRoots(testHost(), policyRoots(root)))).toMatchObject({ reason: 'unusable-root' });
	});
});
