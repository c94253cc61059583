import { Worker } from 'node:worker_threads';
import { assetPath } from '../../core/assets.ts';
import { UserError } from '../../core/errors.ts';
import type { SimulatedMessage, Simulation } from './inputs.ts';
import type { Asked } from './steps.ts';
import type { Played, SimulateReply, SimulateRequest } from './worker.ts';

/** One revision, open for messages one after the other. */
export interface Simulator {
	/** Without `lists` nobody is suppressed. @throws UserError cannot-simulate, no-such-listener, simulation-timeout */
	run: (message: SimulatedMessage, options?: { lists: boolean }) => Promise<Simulation>;
	/** The same with the suppression lists, and with what KumoMTA is to be asked about it, and what it answered so far. */
	play: (message: SimulatedMessage, known: Asked[]) => Promise<Played>;
	close: () => Promise<void>;
}

export interface SimulatorLimits {
	/** For one message, opening included. */
	timeoutMs: number;
}

const usualLimits: SimulatorLimits = { timeoutMs: 10_000 };

/**
 * Opens a revision's directory in a thread of its own. The operator's custom.lua runs in it, so it may loop or eat memory:
 * then the thread ends, the message is refused, and the next one starts anew.
 * @param directory named like the revision in its node.toml
 */
export function openSimulator(directory: string, { timeoutMs }: SimulatorLimits = usualLimits): Simulator {
	let worker: Worker | undefined;
	let last: Promise<unknown> = Promise.resolve();

	async function end(): Promise<void> {
		const ending = worker;
		worker = undefined;
		await ending?.terminate();
	}
	async function play(request: SimulateRequest): Promise<Played> {
		worker ??= new Worker(assetPath('simulate-worker'), {
			workerData: { directory },
			resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 }
		});
		const reply = await ask(worker, request, timeoutMs).catch(async (error: unknown) => {
			await end();
			throw error;
		});
		if (reply.kind === 'done') return reply.played;
		throw reply.kind === 'no-listener' ? noListener() : broken(withoutPath(reply.message));
	}
	function inTurn(request: SimulateRequest): Promise<Played> {
		const running = last.then(() => play(request));
		last = running.catch(() => {});
		return running;
	}
	return {
		run: async (message, { lists } = { lists: false }) => (await inTurn({ message, lists })).simulation,
		play: (message, known) => inTurn({ message, known, lists: true }),
		async close() {
			await last;
			await end();
		}
	};
}

function ask(worker: Worker, request: SimulateRequest, timeoutMs: number): Promise<SimulateReply> {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => finish(() => reject(tooLong())), timeoutMs);
		const onMessage = (reply: SimulateReply) => finish(() => resolve(reply));
		const onError = (error: Error) => finish(() => reject(error));
		const onExit = () => finish(() => reject(new Error('The simulator ended before it answered.')));
		function finish(settle: () => void): void {
			clearTimeout(timer);
			worker.unref();
			worker.off('message', onMessage).off('error', onError).off('exit', onExit);
			settle();
		}
		worker.on('message', onMessage).on('error', onError).on('exit', onExit);
		worker.ref();
		worker.postMessage(request);
	});
}

/** Where a revision lies while it is in the making is nobody's business; Lua cuts long paths at their beginning. */
const withoutPath = (text: string) => text.replace(/\S*\/(custom|program)\.lua/g, '$1.lua').slice(0, 1000);

function broken(why: string): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		`The policy did not run in the simulator: ${why}. Nothing was changed. Where custom.lua uses something that only KumoMTA has, the simulator cannot help.`,
		{ reason: 'cannot-simulate' }
	);
}

function noListener(): UserError {
	return new UserError(
		'BAD_REQUEST',
		'This revision has no such listener. Nothing was simulated. Choose one that Settings names.',
		{ reason: 'no-such-listener', field: 'arrival.listener' }
	);
}

function tooLong(): UserError {
	return new UserError(
		'TIMEOUT',
		'The policy did not answer in ten seconds and was stopped. Nothing was changed. Look for a loop in custom.lua.',
		{ reason: 'simulation-timeout' }
	);
}
