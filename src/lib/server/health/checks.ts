import { backupChecks } from './backups.ts';
import type { Check } from './check.ts';
import { fileChecks } from './files.ts';
import { kumomtaChecks } from './kumomta.ts';
import { machineChecks } from './machine.ts';
import { mailChecks } from './mail.ts';
import { panelChecks } from './panel.ts';

/** Every question that the server is asked, in the order of the page. */
export const checks: readonly Check[] = [
	...panelChecks,
	...machineChecks,
	...fileChecks,
	...kumomtaChecks,
	...mailChecks,
	...backupChecks
];
