import { parentPort, workerData } from 'node:worker_threads';
import { PolicyLoadError } from '../lua/vm.ts';
import { converse, NoListener } from './conversation.ts';
import type { SimulatedMessage, Simulation } from './inputs.ts';
import { openRevision } from './open-revision.ts';
import type { OpenedRevision } from './open-revision.ts';
import { withPathLimits } from './path-limits.ts';
import { shadow } from './shadow.ts';
import type { Asked, Step } from './steps.ts';

export interface SimulateRequest {
	message: SimulatedMessage;
	/** What KumoMTA answered so far; absent where it is not asked at all. */
	known?: Asked[];
	/** Whether the suppression lists of this moment count. */
	lists: boolean;
}

export interface Played {
	simulation: Simulation;
	/** What KumoMTA is to be asked; nothing where it is not. */
	steps: Step[];
	/** Every answer that decides is KumoMTA's. */
	isWhole: boolean;
}

export type SimulateReply =
	| { kind: 'done'; played: Played }
	| { kind: 'no-listener' }
	/** The program, or custom.lua in it, does not start or breaks off. */
	| { kind: 'broken'; message: string };

/** A Lua in wasm crashed after 2,000 checks: it is made anew long before. */
const messagesPerLua = 200;

const { directory } = workerData as { directory: string };
let opened: ReturnType<typeof openRevision> | undefined;
let played = 0;

function playOne(revision: OpenedRevision, { message, known, lists }: SimulateRequest): Played {
	revision.readLists(lists);
	if (known === undefined) return { simulation: converse(revision, message), steps: [], isWhole: false };
	const shadowed = shadow(revision.policy, known);
	const simulation = withPathLimits(converse({ ...revision, policy: shadowed.policy }, message), shadowed.path);
	return { simulation, steps: shadowed.steps(), isWhole: shadowed.isWhole() };
}

async function play(request: SimulateRequest): Promise<SimulateReply> {
	try {
		if (played === messagesPerLua) {
			(await opened)?.close();
			opened = undefined;
			played = 0;
		}
		opened ??= openRevision(directory);
		played += 1;
		return { kind: 'done', played: playOne(await opened, request) };
	} catch (error) {
		if (error instanceof NoListener) return { kind: 'no-listener' };
		opened = undefined;
		const message = error instanceof Error ? error.message : String(error);
		if (!(error instanceof PolicyLoadError)) throw error;
		return { kind: 'broken', message };
	}
}

let last = Promise.resolve();
parentPort?.on('message', (request: SimulateRequest) => {
	last = last.then(async () => parentPort?.postMessage(await play(request)));
});
