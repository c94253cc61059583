import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const directory = resolve(import.meta.dirname, '../../deploy/systemd');
const units = readdirSync(directory).sort();
const hasSystemd = existsSync('/usr/bin/systemd-analyze');

/** How open a service may be at most, of 10, by the rules of systemd-analyze(1). What runs as root does what needs root. */
const mostExposure: Record<string, number> = {
	'kumomta-ui.service': 1.6,
	'kumomta-ui-applier.service': 4,
	'kumomta-ui-backup.service': 3.5
};

describe.skipIf(!hasSystemd)('the units', () => {
	it('are understood by systemd, without a warning', () => {
		const { stderr } = spawnSync(
			'systemd-analyze',
			['verify', '--man=no', ...units.map((unit) => join(directory, unit))],
			{
				encoding: 'utf8'
			}
		);
		// The programs are not installed here.
		const said = stderr.split('\n').filter((line) => line !== '' && !/Command \/opt\/\S+ is not executable/.test(line));
		expect(said.filter((line) => line.includes('kumomta-ui'))).toEqual([]);
	});

	it.each(units.filter((unit) => unit.endsWith('.service')))('%s is as closed as its work allows', (unit) => {
		const most = mostExposure[unit];
		expect(most, 'every service names its bound').toBeDefined();
		const { status, stdout } = spawnSync(
			'systemd-analyze',
			[
				'security',
				'--offline=true',
				'--no-pager',
				`--threshold=${Math.round((most ?? 0) * 10)}`,
				join(directory, unit)
			],
			{ encoding: 'utf8' }
		);
		expect(status, stdout.slice(-200)).toBe(0);
	});

	it('the panel runs as nobody’s account, in no group of KumoMTA, and writes its own directory only', () => {
		const { stdout } = spawnSync(
			'grep',
			['-hE', '^(User|Group|SupplementaryGroups|ReadWritePaths|ProtectSystem)=', join(directory, 'kumomta-ui.service')],
			{
				encoding: 'utf8'
			}
		);
		expect(stdout.trim().split('\n')).toEqual([
			'User=kumomta-ui',
			'Group=kumomta-ui',
			'SupplementaryGroups=',
			'ProtectSystem=strict',
			'ReadWritePaths=/var/lib/kumomta-ui'
		]);
	});
});
