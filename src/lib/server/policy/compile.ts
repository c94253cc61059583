import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../app.ts';
import { UserError } from '../core/errors.ts';
import type { BuildRequest, BuiltRevision } from './build-revision.ts';
import type { ChangePage, ChangeRequest, GroupPage } from './changes.ts';
import type { RowDrift } from './directory-drift.ts';
import type { LineDiff } from './line-diff.ts';
import type { ObjectName, ObjectPair } from './object-text.ts';
import { previewFiles } from './preview.ts';
import type { PreviewFile } from './preview.ts';
import { sha256 } from './render.ts';
import type { Manifest } from './revision.ts';
import { readMarks, readSnapshot } from './snapshot.ts';
import { writeRevision } from './write-revision.ts';
import type { WriteTarget } from './write-revision.ts';
import { createWorkerThread } from './worker-thread.ts';
import type { Ask, WorkerThread } from './worker-thread.ts';
import type { WorkerAnswer } from './worker.ts';

export interface CompileRequest extends Omit<BuildRequest, 'facts' | 'now' | 'dropping'> {
	facts?: BuildRequest['facts'];
	dropping?: string[];
	/** Takes the data of this revision's directory instead of the database (restore). */
	from?: string | null;
}

/** A revision that lies ready in a scratch directory until the last holder releases it. */
export interface Compiled extends BuiltRevision {
	/** Where its files lie, to be read while it is held. */
	directory: string;
	/** State of the database that it was made of; null when it was made of a revision. */
	marks: string | null;
	/** The directory that it was compared with. */
	live: string | null;
	/** Pages of the differences to the revision that was live. */
	changesPage: (page?: ChangeRequest) => Promise<ChangePage>;
	previewFiles: () => Promise<PreviewFile[]>;
	/**
	 * Writes the files under their revision's name into an existing, empty directory: created exclusively, mode 0640,
	 * synced; the caller sets the owner and syncs the directory. @returns the manifest as it was written.
	 */
	writeTo: (directory: string, target: WriteTarget) => Promise<Manifest>;
	retain: () => Compiled;
	release: () => void;
}

interface Compiler {
	thread: WorkerThread;
	scratch: string;
	pending?: Pending;
}

interface Pending {
	key: string;
	result: Promise<Compiled>;
	isSettled: boolean;
}

/** One worker, one scratch directory and one remembered result for each open app. */
const compilers = new WeakMap<App['database'], Compiler>();

function compilerOf(app: App): Compiler {
	let compiler = compilers.get(app.database);
	if (compiler === undefined) {
		compiler = { thread: createWorkerThread(), scratch: openScratch(app.env.dataDir) };
		compilers.set(app.database, compiler);
	}
	return compiler;
}

/** Revisions in the making hold verifiers: below the data directory, closed to others, swept when their process is gone. */
function openScratch(dataDir: string): string {
	const parent = join(dataDir, 'pending-policy');
	mkdirSync(parent, { recursive: true, mode: 0o700 });
	for (const name of readdirSync(parent))
		if (!isRunning(Number(name.split('-')[0]))) rmSync(join(parent, name), { recursive: true, force: true });
	return join(parent, `${process.pid}-${randomBytes(6).toString('hex')}`);
}

function isRunning(pid: number): boolean {
	try {
		return process.kill(pid, 0);
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM';
	}
}

/**
 * Snapshot, render and check in the worker. The caller releases what it gets.
 * @throws UserError problems, when settings cannot be read at all.
 */
export async function compilePolicy(app: App, request: CompileRequest): Promise<Compiled> {
	const { thread, scratch } = compilerOf(app);
	const directory = join(scratch, randomBytes(8).toString('hex'));
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const { from = null, facts = {}, dropping = [], program, customLua, roots, live } = request;
	const build = { program, customLua, roots, live, facts, dropping, now: app.clock() };
	try {
		return await thread.run(async (ask) => {
			let marks: string | null = null;
			let answer: WorkerAnswer;
			if (from === null) {
				await ask({ kind: 'begin', directory, request: build });
				marks = await sendSnapshot(app, ask);
				answer = await ask({ kind: 'build' });
			} else answer = await ask({ kind: 'rebuild', directory, from, request: build });
			const built = valueOf(answer, 'built');
			return compiled(thread, { directory, live, marks, built });
		});
	} catch (error) {
		await rm(directory, { recursive: true, force: true });
		throw error;
	}
}

/** A few pages ahead of the worker, so that neither waits and few lie in memory. */
async function sendSnapshot(app: App, ask: Ask): Promise<string> {
	const ahead: Promise<unknown>[] = [];
	const marks = await readSnapshot(app, async (page) => {
		const taken = ask({ kind: 'page', page });
		// A thread that dies rejects all of them; the one that is awaited tells.
		taken.catch(() => {});
		ahead.push(taken);
		if (ahead.length >= 4) await ahead.shift();
	});
	await Promise.all(ahead);
	return marks;
}

interface Values {
	built: BuiltRevision;
	changes: ChangePage;
	groups: GroupPage;
	diff: LineDiff;
	object: ObjectPair;
	rows: RowDrift | null;
}

/** The value of an answer of the expected kind, or the error that it tells. */
function valueOf<Kind extends keyof Values>(answer: WorkerAnswer, kind: Kind): Values[Kind] {
	if (answer.kind === kind && 'value' in answer) return answer.value as Values[Kind];
	if (answer.kind === 'unreadable')
		throw new UserError('PRECONDITION_FAILED', answer.problem.message, {
			reason: 'problems',
			problems: [answer.problem]
		});
	if (answer.kind === 'bad-cursor')
		throw new UserError(
			'BAD_REQUEST',
			'The changes moved on since this page was opened. Start again from the first page.',
			{ reason: 'cursor-mismatch', field: 'cursor' }
		);
	throw new Error(`The policy worker failed: ${answer.kind === 'failed' ? answer.message : answer.kind}`);
}

function compiled(
	thread: WorkerThread,
	{
		directory,
		live,
		marks,
		built
	}: { directory: string; live: string | null; marks: string | null; built: BuiltRevision }
): Compiled {
	let holders = 1;
	const self: Compiled = {
		...built,
		directory,
		live,
		marks,
		changesPage: async (page = {}) =>
			valueOf(await thread.run((ask) => ask({ kind: 'changes', was: live, now: directory, page })), 'changes'),
		previewFiles: () => previewFiles(directory, built.manifest),
		writeTo: (target, options) => writeRevision(directory, built.manifest, target, options),
		retain() {
			holders++;
			return self;
		},
		release() {
			if (--holders === 0) void rm(directory, { recursive: true, force: true });
		}
	};
	return self;
}

/**
 * What would be applied now. While neither the database nor the request changed, the answer is the remembered one, for
 * one look at the database. Null when it takes longer than `waitMs`: it goes on, ask again. The caller releases it.
 */
export async function pendingPolicy(
	app: App,
	request: CompileRequest,
	{ waitMs = 300 }: { waitMs?: number } = {}
): Promise<Compiled | null> {
	const compiler = compilerOf(app);
	const deadline = startDeadline(waitMs);
	try {
		for (;;) {
			const key = keyOf(await readMarks(app.database.client), request, app.clock());
			const running = compiler.pending;
			if (running !== undefined && running.key !== key && !running.isSettled) {
				await Promise.race([running.result.catch(() => {}), deadline.passed]);
				if (deadline.isOver()) return null;
				continue;
			}
			if (running?.key !== key) compiler.pending = remember(app, compiler, { key, request });
			const result = (compiler.pending as Pending).result.then((ready) => (deadline.isOver() ? null : ready.retain()));
			return await Promise.race([result, deadline.passed]);
		}
	} finally {
		deadline.cancel();
	}
}

function startDeadline(waitMs: number) {
	let isOver = false;
	let timer: NodeJS.Timeout | undefined;
	const passed = new Promise<null>((resolve) => {
		timer = setTimeout(() => {
			isOver = true;
			resolve(null);
		}, waitMs);
	});
	return { passed, isOver: () => isOver, cancel: () => clearTimeout(timer) };
}

function remember(app: App, compiler: Compiler, { key, request }: { key: string; request: CompileRequest }): Pending {
	void compiler.pending?.result.then(
		(old) => old.release(),
		() => {}
	);
	const pending: Pending = { key, result: compilePolicy(app, request), isSettled: false };
	pending.result.then(
		({ marks }) => {
			pending.isSettled = true;
			if (marks !== null) pending.key = keyOf(marks, request, app.clock());
		},
		() => {
			if (compiler.pending === pending) delete compiler.pending;
		}
	);
	return pending;
}

/** Dates of a certificate are part of the check: a remembered result is a day old at most. */
function keyOf(marks: string, request: CompileRequest, now: number): string {
	const { program, customLua, roots, facts, live, from, dropping = [] } = request;
	const custom = customLua === null ? null : sha256(customLua);
	const day = Math.floor(now / 86_400_000);
	return sha256(JSON.stringify([marks, sha256(program), custom, roots, facts, live, from, dropping.toSorted(), day]));
}

/** Pages of the differences between any two revision directories. @param was null: everything is new. */
export async function comparePolicies(
	app: App,
	was: string | null,
	now: string,
	page: ChangeRequest = {}
): Promise<ChangePage> {
	return valueOf(await compilerOf(app).thread.run((ask) => ask({ kind: 'changes', was, now, page })), 'changes');
}

/** The same, counted by domain. */
export async function groupPolicies(
	app: App,
	was: string | null,
	now: string,
	page: ChangeRequest = {}
): Promise<GroupPage> {
	return valueOf(await compilerOf(app).thread.run((ask) => ask({ kind: 'groups', was, now, page })), 'groups');
}

/** The unified difference of two texts, made off the event loop. */
export async function diffTexts(app: App, was: string, now: string): Promise<LineDiff> {
	return valueOf(await compilerOf(app).thread.run((ask) => ask({ kind: 'diff', was, now })), 'diff');
}

/** One object of two directories as canonical JSON, without verifiers. */
export async function readObject(app: App, was: string | null, now: string, object: ObjectName): Promise<ObjectPair> {
	return valueOf(await compilerOf(app).thread.run((ask) => ask({ kind: 'object', was, now, object })), 'object');
}

/** What an edited directory.sqlite has other than it should; null when it cannot be read. */
export async function compareRows(app: App, was: string, now: string): Promise<RowDrift | null> {
	return valueOf(await compilerOf(app).thread.run((ask) => ask({ kind: 'rows', was, now })), 'rows');
}

/** Ends the worker and removes what was in the making. The app may go on: the next call begins anew. */
export async function closeCompiler(app: App): Promise<void> {
	const compiler = compilers.get(app.database);
	if (compiler === undefined) return;
	compilers.delete(app.database);
	await compiler.thread.close();
	await rm(compiler.scratch, { recursive: true, force: true });
}
