import { endpoints } from './endpoints.ts';
import { greetListener } from './greeting.ts';
import type { Greeting, ListenerToGreet } from './greeting.ts';
import { callKumod, chunksOf, expectOk, KumodError, oneLine, readBounded } from './http.ts';
import type { Credential } from './http.ts';
import { linesOf, sampleOf } from './metrics.ts';
import { tryRelay } from './relay-trial.ts';
import type { RelayTarget, RelayTrial } from './relay-trial.ts';

export type Liveness = { state: 'alive' } | { state: 'not-ready' | 'unreachable'; detail: string };

export interface Machine {
	version: string;
	onlineSince: string;
}

/** KumoMTA as the panel talks to it: its HTTP API and the greeting of its listeners. */
export interface Kumod {
	/** GET /api/check-liveness/v1; never throws for a KumoMTA that is away or not ready. */
	checkLiveness(): Promise<Liveness>;
	/** POST /api/admin/bump-config-epoch: pooled Lua contexts are dropped, handlers and data are read anew. */
	bumpConfigEpoch(credential?: Credential): Promise<void>;
	/** GET /api/machine-info; `onlineSince` is when the process started, as it says it. */
	getMachine(credential?: Credential): Promise<Machine>;
	/** The counter `lua_load_count` of GET /metrics; undefined while KumoMTA has not counted yet. */
	getLuaLoadCount(credential?: Credential): Promise<number | undefined>;
	/** The body of GET /metrics as it comes, at most for 30 s. */
	streamMetrics(credential?: Credential, signal?: AbortSignal): AsyncIterable<Uint8Array>;
	greet(listener: ListenerToGreet): Promise<Greeting>;
	/** Whether a listener takes a stranger's mail for somebody else. Ends before DATA. */
	tryRelay(target: RelayTarget): Promise<RelayTrial>;
}

/** @param base the URL of `kumo.start_http_listener`, without a slash at its end. */
export function createKumod(base: string): Kumod {
	return {
		async checkLiveness() {
			try {
				const response = await callKumod(base, { ...endpoints.liveness, timeoutMs: 5000 });
				const said = oneLine(await readBounded(response, 2048));
				return response.ok ? { state: 'alive' } : { state: 'not-ready', detail: said || `HTTP ${response.status}` };
			} catch (error) {
				if (error instanceof KumodError) return { state: 'unreachable', detail: error.message };
				throw error;
			}
		},
		async bumpConfigEpoch(credential) {
			const request = { ...endpoints.bumpConfigEpoch, timeoutMs: 10_000, credential };
			const response = await expectOk(await callKumod(base, request), 'the new configuration epoch');
			await response.body?.cancel();
		},
		async getMachine(credential) {
			const { answer, ...endpoint } = endpoints.machineInfo;
			const response = await expectOk(
				await callKumod(base, { ...endpoint, timeoutMs: 5000, credential }),
				'its machine information'
			);
			const parsed = answer.safeParse(readJson(await readBounded(response, 65_536)));
			if (parsed.success) return { version: parsed.data.version, onlineSince: parsed.data.online_since };
			throw new KumodError(
				'KumoMTA answered its machine information in a form the panel does not know. Nothing was changed. Look whether its version is supported.',
				'kumomta-unknown-answer',
				response.status
			);
		},
		async getLuaLoadCount(credential) {
			const request = { ...endpoints.metrics, timeoutMs: 15_000, credential };
			const response = await expectOk(await callKumod(base, request), 'its metrics');
			for await (const line of linesOf(chunksOf(response))) {
				const sample = sampleOf(line);
				if (sample?.name === 'lua_load_count') return sample.value;
			}
			return undefined;
		},
		async *streamMetrics(credential, signal) {
			const request = { ...endpoints.metrics, timeoutMs: 30_000, credential, signal };
			yield* chunksOf(await expectOk(await callKumod(base, request), 'its metrics'));
		},
		greet: greetListener,
		tryRelay
	};
}

function readJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
