import { parentPort, workerData } from 'node:worker_threads';
import { PolicyLoadError } from '../lua/vm.ts';
import { converse, NoListener } from './conversation.ts';
import type { SimulatedMessage, Simulation } from './inputs.ts';
import { openRevision } from './open-revision.ts';

export type SimulateReply =
	| { kind: 'done'; simulation: Simulation }
	| { kind: 'no-listener' }
	/** The program, or custom.lua in it, does not start or breaks off. */
	| { kind: 'broken'; message: string };

/** A Lua in wasm crashed after 2,000 checks: it is made anew long before. */
const messagesPerLua = 200;

const { directory } = workerData as { directory: string };
let opened: ReturnType<typeof openRevision> | undefined;
let played = 0;

async function play(message: SimulatedMessage): Promise<SimulateReply> {
	try {
		if (played === messagesPerLua) {
			(await opened)?.close();
			opened = undefined;
			played = 0;
		}
		opened ??= openRevision(directory);
		played += 1;
		return { kind: 'done', simulation: converse(await opened, message) };
	} catch (error) {
		if (error instanceof NoListener) return { kind: 'no-listener' };
		opened = undefined;
		const message = error instanceof Error ? error.message : String(error);
		if (!(error instanceof PolicyLoadError)) throw error;
		return { kind: 'broken', message };
	}
}

let last = Promise.resolve();
parentPort?.on('message', (message: SimulatedMessage) => {
	last = last.then(async () => parentPort?.postMessage(await play(message)));
});
