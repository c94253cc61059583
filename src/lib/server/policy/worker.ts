import { parentPort } from 'node:worker_threads';
import { buildRevision } from './build-revision.ts';
import type { BuildRequest, BuiltRevision } from './build-revision.ts';
import { countChanges, CursorError, listChanges } from './changes.ts';
import type { ChangeCounts, ChangePage } from './changes.ts';
import { createParser, UnreadablePolicy } from './parse.ts';
import type { PageKind } from './parse.ts';
import type { Problem } from './problem.ts';
import { readRevisionInput } from './revision.ts';

/** What the main thread asks; each is answered once, in order, but for `page`. */
export type WorkerCall =
	| { kind: 'begin' }
	| { kind: 'page'; page: [kind: PageKind, json: string] }
	/** Of the pages since `begin`, or of a revision's directory. */
	| { kind: 'build'; directory: string; from: string | null; request: BuildRequest }
	| { kind: 'changes'; was: string | null; now: string; cursor?: string | undefined; limit?: number | undefined }
	| { kind: 'count'; was: string | null; now: string };

export type WorkerAnswer =
	| { kind: 'built'; value: BuiltRevision }
	| { kind: 'unreadable'; problem: Problem }
	| { kind: 'changes'; value: Omit<ChangePage, 'total' | 'counts'> }
	| { kind: 'count'; value: ChangeCounts }
	| { kind: 'bad-cursor' }
	| { kind: 'failed'; message: string };

let parser = createParser();
/** A page that could not be parsed at all; told when the build asks for it. */
let broken: unknown;

function answer(call: WorkerCall): WorkerAnswer | undefined {
	switch (call.kind) {
		case 'begin':
			parser = createParser();
			broken = undefined;
			return undefined;
		case 'page':
			try {
				parser.add(...call.page);
			} catch (error) {
				broken = error;
			}
			return undefined;
		case 'build':
			return { kind: 'built', value: build(call) };
		case 'changes':
			return { kind: 'changes', value: listChanges(call.was, call.now, call) };
		case 'count':
			return { kind: 'count', value: countChanges(call.was, call.now) };
	}
}

function build({ directory, from, request }: Extract<WorkerCall, { kind: 'build' }>): BuiltRevision {
	if (from !== null) return buildRevision(directory, { input: readRevisionInput(from), unreadable: [] }, request);
	if (broken !== undefined) throw broken as Error;
	const { input, problems } = parser.finish();
	parser = createParser();
	return buildRevision(directory, { input, unreadable: problems }, request);
}

function failure(error: unknown): WorkerAnswer {
	if (error instanceof UnreadablePolicy) return { kind: 'unreadable', problem: error.problem };
	if (error instanceof CursorError) return { kind: 'bad-cursor' };
	return { kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

parentPort?.on('message', (call: WorkerCall) => {
	let reply: WorkerAnswer | undefined;
	try {
		reply = answer(call);
	} catch (error) {
		reply = failure(error);
	}
	if (reply !== undefined) parentPort?.postMessage(reply);
});
