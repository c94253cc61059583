import { setTimeout as sleep } from 'node:timers/promises';
import type { Credential } from '../kumod/http.ts';
import { KumodError } from '../kumod/http.ts';
import type { Kumod } from '../kumod/client.ts';
import type { RefreshKind } from './refresh.ts';
import type { StepResult } from './step-result.ts';

export interface ProbeTarget {
	kumod: Kumod;
	credential: Credential | undefined;
	listeners: { address: string; port: number; purpose: 'inbound' | 'submission' | 'relay' }[];
	refreshed: RefreshKind;
	/** `lua_load_count` before the swap; undefined when it could not be read. */
	loadsBefore: number | undefined;
	patience: Patience;
}

/** How long KumoMTA may take, in milliseconds: a start counts its spool first. */
export interface Patience {
	validateMs: number;
	aliveMs: number;
	loadedMs: number;
	greetMs: number;
	pauseMs: number;
}

export const usualPatience: Patience = {
	validateMs: 60_000,
	aliveMs: 120_000,
	loadedMs: 20_000,
	greetMs: 10_000,
	pauseMs: 500
};

/**
 * Whether KumoMTA works with the new revision: it is alive, every listener greets (submission also inside STARTTLS), and
 * Lua contexts were made since: the greetings make them, so they come first.
 */
export async function probeKumod(target: ProbeTarget): Promise<StepResult> {
	const lines: string[] = [];
	const alive = await waitForLiveness(target);
	if (alive !== undefined) return { status: 'failed', output: alive };
	lines.push('KumoMTA is alive.');
	for (const listener of target.listeners) {
		const greeting = await greetPatiently(target, listener);
		const name = `${listener.address}:${listener.port} (${listener.purpose})`;
		if (!greeting.ok)
			return {
				status: 'failed',
				output: [...lines, `The listener ${name} does not greet: ${greeting.detail}.`].join('\n')
			};
		lines.push(`The listener ${name} greets: ${greeting.banner}`);
	}
	const loads = await waitForLoads(target);
	return { status: loads.isGood ? 'ok' : 'failed', output: [...lines, loads.line].join('\n') };
}

/**
 * The operator's own policy may have its HTTP listener elsewhere, or none: what is not answered says nothing about it, and
 * never takes the way back to it away.
 */
export async function probeForeign(target: ProbeTarget): Promise<StepResult> {
	const { patience } = target;
	const { status, output } = await probeKumod({ ...target, patience: { ...patience, aliveMs: patience.loadedMs } });
	if (status === 'ok') return { status, output };
	return { status: 'skipped', output: `This policy is not the panel’s, so it is not judged by this: ${output}` };
}

async function waitForLiveness({ kumod, patience }: ProbeTarget): Promise<string | undefined> {
	for (let waited = 0; ; waited += patience.pauseMs) {
		const liveness = await kumod.checkLiveness();
		if (liveness.state === 'alive') return undefined;
		if (waited >= patience.aliveMs)
			return `KumoMTA is not alive after ${patience.aliveMs / 1000} s: ${liveness.detail}`;
		await sleep(patience.pauseMs);
	}
}

/** After a restart a port may open a moment after the HTTP listener does. */
async function greetPatiently({ kumod, patience, refreshed }: ProbeTarget, listener: ProbeTarget['listeners'][number]) {
	const ask = () =>
		kumod.greet({
			address: listener.address,
			port: listener.port,
			withTls: listener.purpose === 'submission',
			timeoutMs: patience.greetMs
		});
	let greeting = await ask();
	for (let tries = 0; !greeting.ok && refreshed === 'restart' && tries < 4; tries += 1) {
		await sleep(patience.pauseMs);
		greeting = await ask();
	}
	return greeting;
}

async function waitForLoads({ kumod, credential, refreshed, loadsBefore, patience }: ProbeTarget) {
	if (refreshed === 'bump' && loadsBefore === undefined)
		return { isGood: true, line: 'Whether Lua contexts were made anew is not known: KumoMTA gave no count before.' };
	const before = refreshed === 'restart' ? 0 : (loadsBefore ?? 0);
	for (let waited = 0; ; waited += patience.pauseMs) {
		const now = await readLoads(kumod, credential);
		if (now !== undefined && now > before) return { isGood: true, line: `Lua contexts were made anew (${now}).` };
		if (waited >= patience.loadedMs)
			return {
				isGood: false,
				line: `KumoMTA made no new Lua context in ${patience.loadedMs / 1000} s: it does not run this revision.`
			};
		await sleep(patience.pauseMs);
	}
}

/** The counter, or undefined when KumoMTA does not give it. */
export async function readLoads(kumod: Kumod, credential: Credential | undefined): Promise<number | undefined> {
	try {
		return await kumod.getLuaLoadCount(credential);
	} catch (error) {
		if (error instanceof KumodError) return undefined;
		throw error;
	}
}
