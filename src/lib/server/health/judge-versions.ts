import { oldestKumod } from '../policy/service.ts';
import { failed, ok, warning } from './check.ts';
import type { Finding } from './check.ts';
import type { System } from './versions.ts';

export interface VersionFacts {
	/** Null: not installed. Undefined: it does not say. */
	kumomta: string | null | undefined;
	node: string;
	system: System;
	/** Null: not installed. */
	dovecot: { isSupported: true; version: string } | { isSupported: false; sentence: string } | null;
}

/** For which the panel is built. */
const oldestNode = 24;

/** Systems that the installer knows. */
const known: Record<string, string[]> = { debian: ['12', '13'], rocky: ['9'], almalinux: ['9'] };

export function judgeVersions({ kumomta, node, system, dovecot }: VersionFacts): Finding {
	const isKnown = known[system.id]?.includes(system.version.split('.')[0] ?? '') === true;
	const details = [
		kumomta === null ? 'KumoMTA is not installed here.' : `KumoMTA ${kumomta ?? 'does not say its version'}.`,
		dovecot === null
			? 'Dovecot is not installed here.'
			: dovecot.isSupported
				? `Dovecot ${dovecot.version}.`
				: dovecot.sentence,
		`Node ${node}.`,
		`${system.name}${isKnown ? '' : ': the installer does not know this system'}.`
	];
	if (typeof kumomta === 'string' && kumomta.slice(0, 10) < oldestKumod)
		return failed(`KumoMTA ${kumomta} is older than ${oldestKumod}, which the policy needs.`, {
			mend: 'Update KumoMTA from its own repository.',
			command: system.family === 'debian' ? 'apt update && apt install kumomta' : 'dnf update kumomta',
			details
		});
	if (Number(node.split('.')[0]) < oldestNode)
		return failed(`Node ${node} is older than ${oldestNode}, for which the panel is made.`, {
			mend: 'Start the panel with the Node that its release brings.',
			details
		});
	if (kumomta === undefined)
		return warning('KumoMTA does not say which version it is.', {
			mend: 'Look whether its installation is whole.',
			command: '/opt/kumomta/sbin/kumod --version',
			details
		});
	if (dovecot !== null && !dovecot.isSupported)
		return warning('This version of Dovecot gets no configuration from the panel.', {
			mend: 'Mail is delivered into the mailboxes all the same. Install Dovecot 2.3 to have it served.',
			details
		});
	if (!isKnown)
		return warning(`${system.name} is not one of the systems that the installer is made for.`, {
			mend: 'Debian 12 or 13, Rocky 9 or Alma 9 are. On another system, keep it up to date by yourself.',
			details
		});
	return ok('KumoMTA, Dovecot, Node and the system are versions that the panel is made for.', { details });
}
