import { existsSync } from 'node:fs';
import type { RunOptions, RunResult } from './run.ts';

/** The services that the panel may touch; nothing else is ever passed to systemctl. */
const units = { kumomta: 'kumomta.service' } as const;
export type Unit = keyof typeof units;

export interface UnitStatus {
	/** False where systemd does not run: `detail` says so. */
	isManaged: boolean;
	isActive: boolean;
	detail: string;
}

export interface Systemd {
	status(unit: Unit): Promise<UnitStatus>;
	/** Waits until the old process has drained (KumoMTA: up to 300 s) and the new one runs. */
	restart(unit: Unit): Promise<{ isDone: boolean; detail: string }>;
}

/** Services by systemctl. `sd_booted(3)`: systemd runs exactly when /run/systemd/system is there. */
export function createSystemd(
	run: (file: string, args: string[], options: RunOptions) => Promise<RunResult>,
	isBooted: () => boolean = () => existsSync('/run/systemd/system')
): Systemd {
	const absent = 'systemd does not run on this machine.';
	return {
		async status(unit) {
			if (!isBooted()) return { isManaged: false, isActive: false, detail: absent };
			const properties = ['show', units[unit], '--property=LoadState,ActiveState,SubState'];
			const shown = await run('systemctl', properties, { timeoutMs: 10_000, maxBytes: 4096 });
			const state = propertiesOf(shown.stdout);
			const isManaged = state.LoadState === 'loaded';
			const detail = isManaged
				? `${state.ActiveState ?? 'unknown'} (${state.SubState ?? 'unknown'})`
				: `There is no ${units[unit]} here.`;
			return { isManaged, isActive: isManaged && state.ActiveState === 'active', detail };
		},
		async restart(unit) {
			if (!isBooted()) return { isDone: false, detail: absent };
			const result = await run('systemctl', ['restart', units[unit]], { timeoutMs: 330_000, maxBytes: 16_384 });
			if (result.code === 0) return { isDone: true, detail: `${units[unit]} was restarted.` };
			const said = (result.stderr || result.stdout).trim() || (result.timedOut ? 'no answer in 330 s' : 'no message');
			return { isDone: false, detail: `systemctl could not restart ${units[unit]}: ${said}` };
		}
	};
}

/** Lines `Name=value` of `systemctl show`. */
function propertiesOf(text: string): Partial<Record<string, string>> {
	const pairs = text.split('\n').map((line): [string, string] => {
		const end = line.indexOf('=');
		return [line.slice(0, Math.max(end, 0)), line.slice(end + 1)];
	});
	return Object.fromEntries(pairs);
}
