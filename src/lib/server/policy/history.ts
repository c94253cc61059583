import { and, count, desc, eq, isNotNull, or } from 'drizzle-orm';
import { join } from 'node:path';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { follows, listPage, matchesText, ordered } from '../core/paging.ts';
import { revisionGone } from './apply.ts';
import { findManifest } from './drift.ts';
import type * as inputs from './inputs.ts';
import { bytesOf, readLive } from './live.ts';
import { maskText } from './masked-text.ts';
import { previewFiles, shownBytes } from './preview.ts';
import type { PreviewFile } from './preview.ts';
import { policyRoots } from './roots.ts';
import { fatesOf, listKept, readInUse } from './retention.ts';
import type { Fate } from './retention.ts';
import { retentionInWords } from './retention-words.ts';
import { liveNumber, listApplies, progressOf } from './service.ts';
import { findKept } from './swap.ts';
import { applies, revisions } from './tables.ts';

type Row = typeof revisions.$inferSelect;

/** Revisions that were live once, the last one first; the operator's own policy is one of them. */
export async function listRevisions(app: App, request: z.infer<typeof inputs.listRevisions>) {
	const dir = request.sort?.dir ?? 'desc';
	const wanted = and(
		or(isNotNull(revisions.appliedAt), eq(revisions.number, 0)),
		matchesText(request.search, revisions.actorName, revisions.reason, revisions.hash)
	);
	const page = await listPage<Row>(request, {
		binding: 'revisions',
		key: ({ number }) => [number, number],
		read: (after, limit) =>
			app.db
				.select()
				.from(revisions)
				.where(and(wanted, follows(revisions.number, revisions.number, dir, after)))
				.orderBy(...ordered(revisions.number, revisions.number, dir))
				.limit(limit),
		count: async () => (await app.db.select({ total: count() }).from(revisions).where(wanted))[0]?.total ?? 0
	});
	const surroundings = await look(app);
	return { ...page, items: await Promise.all(page.items.map((row) => itemOf(app, row, surroundings))) };
}

/** One revision with its files and every try to make it live. @throws UserError no-such-revision */
export async function getRevision(app: App, { number }: { number: number }) {
	const [row] = await app.db.select().from(revisions).where(eq(revisions.number, number)).limit(1);
	if (row === undefined) throw revisionGone(number);
	const tries = await listApplies(app, number);
	return {
		...(await itemOf(app, row, await look(app))),
		files: await filesOf(app, row),
		applies: tries.map(progressOf)
	};
}

interface Surroundings {
	liveNumber: number | null;
	fates: Map<number, Fate>;
}

/** What every row of a list is seen against, read once. */
async function look(app: App): Promise<Surroundings> {
	const roots = policyRoots(app.env.kumomtaRoot);
	const inUse = await readInUse(app.host, roots);
	return {
		liveNumber: await liveNumber(app, await readLive(app.host, roots)),
		fates: fatesOf(await listKept(app), { inUse, now: app.clock() })
	};
}

async function itemOf(app: App, revision: Row, { liveNumber: live, fates }: Surroundings) {
	const { directory, removedAt, removedBecause, ...row } = revision;
	const roots = policyRoots(app.env.kumomtaRoot);
	const hasFiles =
		row.number === 0
			? (await findKept(app.host, roots, row.hash)) !== undefined
			: (await app.host.files.stat(join(roots.revisions, directory, 'manifest.json'))) !== undefined;
	const [last] = await app.db
		.select({ outcome: applies.outcome })
		.from(applies)
		.where(eq(applies.revision, row.number))
		.orderBy(desc(applies.startedAt))
		.limit(1);
	return {
		...row,
		canRestore: hasFiles && removedAt === null,
		isLive: row.number === live,
		outcome: last?.outcome ?? null,
		retention: retentionInWords({ ...row, removedAt, removedBecause }, hasFiles, fates.get(row.number))
	};
}

async function filesOf(app: App, { number, directory, hash }: Row): Promise<PreviewFile[]> {
	const roots = policyRoots(app.env.kumomtaRoot);
	if (number > 0) {
		const path = join(roots.revisions, directory);
		const manifest = findManifest(path);
		return manifest === undefined ? [] : previewFiles(path, manifest);
	}
	const text = await findKept(app.host, roots, hash);
	if (text === undefined) return [];
	const content = text.length > shownBytes ? null : maskText(bytesOf(text).toString('utf8'));
	return [{ path: 'init.lua', bytes: text.length, sha256: hash, content }];
}
