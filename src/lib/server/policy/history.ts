import { and, count, desc, eq, isNotNull } from 'drizzle-orm';
import { join } from 'node:path';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { follows, listPage, matchesText, ordered } from '../core/paging.ts';
import { revisionGone } from './apply.ts';
import { findManifest } from './drift.ts';
import type * as inputs from './inputs.ts';
import { bytesOf, readLive } from './live.ts';
import { previewFiles } from './preview.ts';
import type { PreviewFile } from './preview.ts';
import { policyRoots } from './roots.ts';
import { listApplies, progressOf } from './service.ts';
import { findKept } from './swap.ts';
import { applies, revisions } from './tables.ts';

type Row = typeof revisions.$inferSelect;

/** Revisions that were live once, the last one first. */
export async function listRevisions(app: App, request: z.infer<typeof inputs.listRevisions>) {
	const dir = request.sort?.dir ?? 'desc';
	const wanted = and(
		isNotNull(revisions.appliedAt),
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
	const live = await readLive(app.host, policyRoots(app.env.kumomtaRoot));
	return {
		...page,
		items: await Promise.all(page.items.map((row) => itemOf(app, row, 'number' in live ? live.number : null)))
	};
}

/** One revision with its files and every try to make it live. @throws UserError no-such-revision */
export async function getRevision(app: App, { number }: { number: number }) {
	const [row] = await app.db.select().from(revisions).where(eq(revisions.number, number)).limit(1);
	if (row === undefined) throw revisionGone(number);
	const live = await readLive(app.host, policyRoots(app.env.kumomtaRoot));
	const tries = await listApplies(app, number);
	return {
		...(await itemOf(app, row, 'number' in live ? live.number : null)),
		files: await filesOf(app, row),
		applies: tries.map(progressOf)
	};
}

async function itemOf(app: App, { directory, ...row }: Row, liveNumber: number | null) {
	const roots = policyRoots(app.env.kumomtaRoot);
	const canRestore =
		row.number === 0
			? (await findKept(app.host, roots, row.hash)) !== undefined
			: (await app.host.files.stat(join(roots.revisions, directory, 'manifest.json'))) !== undefined;
	const [last] = await app.db
		.select({ outcome: applies.outcome })
		.from(applies)
		.where(eq(applies.revision, row.number))
		.orderBy(desc(applies.startedAt))
		.limit(1);
	return { ...row, canRestore, isLive: row.number === liveNumber, outcome: last?.outcome ?? null };
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
	const bytes = text.length;
	return [
		{ path: 'init.lua', bytes, sha256: hash, content: bytes > 64 * 1024 ? null : bytesOf(text).toString('utf8') }
	];
}
