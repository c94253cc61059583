import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from './archive.ts';
import type { Plan } from './exchange.ts';
import { stagedAt } from './places.ts';
import type { Places, Staged } from './places.ts';

interface PlanParts {
	staged: Staged;
	staging: string[];
	places: Places;
	suffix: string;
}

/**
 * Which staged file or directory takes the place of which. A live file that names another directory than it would have
 * here is left out: the next apply makes it anew.
 */
export function planOf(
	manifest: Manifest,
	{ staged, staging, places, suffix }: PlanParts
): { plan: Plan; initLeftOut: boolean; dovecotLeftOut: boolean } {
	const from = stagedAt(staged);
	const step = (target: string, name?: string) => ({
		...(name !== undefined && { staged: from(name) }),
		target,
		kept: `${target}.replaced-${suffix}`
	});
	const names = manifest.files.map(({ path }) => path);
	const has = (start: string) => names.some((path) => path.startsWith(start));
	const isElsewhere = join(manifest.kumomtaRoot, 'etc') !== places.etc;
	const hasDovecot = has('dovecot/');
	const dovecotLeftOut =
		hasDovecot && (isElsewhere || manifest.dovecotEtc !== places.dovecot || !existsSync(places.dovecot));
	const steps: Plan['steps'] = [];
	if (has('database/')) {
		// A log of the old database beside the new file would be played into it.
		for (const tail of ['-wal', '-shm', '-journal']) steps.push(step(`${places.databaseFile}${tail}`));
		steps.push(step(places.databaseFile, 'database/panel.db'));
	}
	if (has('data/secret.key')) steps.push(step(join(places.data, 'secret.key'), 'data/secret.key'));
	if (has('data/applier.key')) steps.push(step(places.applierKey, 'data/applier.key'));
	for (const name of ['etc/dkim', 'etc/dovecot'])
		if (has(`${name}/`)) steps.push(step(join(places.etc, name.slice('etc/'.length)), name));
	for (const name of topOf(names, isElsewhere)) steps.push(step(join(places.etc, name.slice('etc/'.length)), name));
	if (!dovecotLeftOut)
		for (const name of dovecotOf(names)) steps.push(step(join(places.dovecot, name.slice('dovecot/'.length)), name));
	return { plan: { steps, staging }, initLeftOut: isElsewhere, dovecotLeftOut };
}

/** Whole revisions, and single files of the policy. */
function topOf(names: string[], isElsewhere: boolean): string[] {
	const revisions = names.flatMap((path) => /^etc\/policy\/revisions\/[^/]+(?=\/)/.exec(path)?.[0] ?? []);
	const files = names.filter((path) => /^etc\/policy\/[^/]+$/.test(path));
	return [...new Set(revisions), ...files.filter((path) => !isElsewhere || path === 'etc/policy/custom.lua')];
}

/** Whole revisions first: dovecot.conf names one of them. */
function dovecotOf(names: string[]): string[] {
	const revisions = names.flatMap((path) => /^dovecot\/[^/]+\/[^/]+(?=\/)/.exec(path)?.[0] ?? []);
	return [...new Set(revisions), ...names.filter((path) => /^dovecot\/[^/]+$/.test(path))];
}
