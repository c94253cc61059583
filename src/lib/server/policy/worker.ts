import { parentPort } from 'node:worker_threads';
import { openBuild } from './build-revision.ts';
import type { BuildRequest, BuiltRevision, RevisionBuild } from './build-revision.ts';
import { CursorError, groupChanges, listChanges } from './changes.ts';
import type { ChangePage, ChangeRequest, GroupPage } from './changes.ts';
import { directoryDrift } from './directory-drift.ts';
import type { RowDrift } from './directory-drift.ts';
import { diffLines } from './line-diff.ts';
import type { LineDiff } from './line-diff.ts';
import { objectTexts } from './object-text.ts';
import type { ObjectName, ObjectPair } from './object-text.ts';
import { createParser, UnreadablePolicy } from './parse.ts';
import type { PageKind } from './parse.ts';
import type { Problem } from './problem.ts';
import { readRevisionHead, readRevisionSenders } from './revision.ts';

/** What the main thread asks; each is answered once, in order. */
export type WorkerCall =
	| { kind: 'begin'; directory: string; request: BuildRequest }
	| { kind: 'page'; page: [kind: PageKind, json: string] }
	/** Of the pages since `begin`. */
	| { kind: 'build' }
	/** Of a revision's directory. */
	| { kind: 'rebuild'; directory: string; from: string; request: BuildRequest }
	| { kind: 'changes' | 'groups'; was: string | null; now: string; page: ChangeRequest }
	| { kind: 'diff' | 'rows'; was: string; now: string }
	| { kind: 'object'; was: string | null; now: string; object: ObjectName };

export type WorkerAnswer =
	/** A page that went wrong is told when the build asks. */
	| { kind: 'taken' }
	| { kind: 'built'; value: BuiltRevision }
	| { kind: 'unreadable'; problem: Problem }
	| { kind: 'changes'; value: ChangePage }
	| { kind: 'groups'; value: GroupPage }
	| { kind: 'diff'; value: LineDiff }
	| { kind: 'object'; value: ObjectPair }
	| { kind: 'rows'; value: RowDrift | null }
	| { kind: 'bad-cursor' }
	| { kind: 'failed'; message: string };

interface Building {
	parser: ReturnType<typeof createParser>;
	/** Opened by the first sender, when everything else is there. */
	open: () => RevisionBuild;
	close: () => void;
	/** What a page failed with: told when the build asks. */
	failure?: unknown;
}

let building: Building | undefined;

function begin({ directory, request }: Extract<WorkerCall, { kind: 'begin' }>): Building {
	let build: RevisionBuild | undefined;
	const open = () => (build ??= openBuild(directory, parser.head(), request));
	const parser = createParser((sender) => open().sender(sender));
	return { parser, open, close: () => build?.close() };
}

function takePage(page: [kind: PageKind, json: string]): void {
	if (building === undefined || building.failure !== undefined) return;
	try {
		building.parser.add(...page);
	} catch (error) {
		building.failure = error;
	}
}

function build(): BuiltRevision {
	if (building === undefined) throw new Error('A build was asked for before it began.');
	const { parser, open, close, failure } = building;
	building = undefined;
	try {
		if (failure !== undefined) throw failure as Error;
		return open().finish(parser.problems);
	} finally {
		close();
	}
}

function rebuild({ directory, from, request }: Extract<WorkerCall, { kind: 'rebuild' }>): BuiltRevision {
	const head = readRevisionHead(from);
	const build = openBuild(directory, head, request);
	try {
		for (const sender of readRevisionSenders(from, head)) build.sender(sender);
		return build.finish([]);
	} finally {
		build.close();
	}
}

function answer(call: WorkerCall): WorkerAnswer {
	switch (call.kind) {
		case 'begin':
			building?.close();
			building = begin(call);
			return { kind: 'taken' };
		case 'page':
			takePage(call.page);
			return { kind: 'taken' };
		case 'build':
			return { kind: 'built', value: build() };
		case 'rebuild':
			return { kind: 'built', value: rebuild(call) };
		case 'changes':
			return { kind: 'changes', value: listChanges(call.was, call.now, call.page) };
		case 'groups':
			return { kind: 'groups', value: groupChanges(call.was, call.now, call.page) };
		case 'diff':
			return { kind: 'diff', value: diffLines(call.was, call.now) };
		case 'object':
			return { kind: 'object', value: objectTexts(call.was, call.now, call.object) };
		case 'rows':
			return { kind: 'rows', value: rowsOf(call.was, call.now) };
	}
}

/** What somebody else wrote may be no database at all. */
function rowsOf(was: string, now: string): RowDrift | null {
	try {
		return directoryDrift(was, now);
	} catch {
		return null;
	}
}

function failed(error: unknown): WorkerAnswer {
	if (error instanceof UnreadablePolicy) return { kind: 'unreadable', problem: error.problem };
	if (error instanceof CursorError) return { kind: 'bad-cursor' };
	return { kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

parentPort?.on('message', (call: WorkerCall) => {
	let reply: WorkerAnswer;
	try {
		reply = answer(call);
	} catch (error) {
		reply = failed(error);
	}
	parentPort?.postMessage(reply);
});
