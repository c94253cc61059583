import { and, count, eq } from 'drizzle-orm';
import type { z } from 'zod';
import type { App } from '../../app.ts';
import type { DbOrTransaction } from '../../core/database.ts';
import { notFound, UserError, versionMoved, withConstraint } from '../../core/errors.ts';
import { given } from '../../core/inputs.ts';
import { follows, listPage, matchesText, ordered } from '../../core/paging.ts';
import type { Page } from '../../core/paging.ts';
import type { SimulatedMessage } from '../simulate/inputs.ts';
import { simulate, withSimulator } from '../simulate/service.ts';
import { goldenRoutes } from '../tables.ts';
import { expectationOf } from './expectation.ts';
import { routeItem } from './inputs.ts';
import type * as inputs from './inputs.ts';
import { allRoutes, playRoutes } from './run.ts';
import type { RouteRow } from './run.ts';

/** An apply waits for all of them. */
const maxRoutes = 500;

export async function listRoutes(
	db: DbOrTransaction,
	input: z.infer<typeof inputs.listRoutes>
): Promise<Page<inputs.RouteItem>> {
	const { dir } = input.sort ?? { dir: 'asc' };
	const where = matchesText(input.search, goldenRoutes.name);
	const page = await listPage<RouteRow>(input, {
		binding: null,
		key: ({ name, id }) => [name, id],
		count: () => countRoutes(db, where),
		read: (after, limit) =>
			db
				.select()
				.from(goldenRoutes)
				.where(and(where, follows(goldenRoutes.name, goldenRoutes.id, dir, after)))
				.orderBy(...ordered(goldenRoutes.name, goldenRoutes.id, dir))
				.limit(limit)
	});
	return { ...page, items: page.items.map(itemOf) };
}

/**
 * Saves a message with the answer it must go on having.
 * @throws UserError name-taken, too-many-routes, and without an expectation whatever `simulate` throws
 */
export async function createRoute(
	app: App,
	{ name, request, expectation }: z.infer<typeof inputs.createRoute>
): Promise<inputs.RouteItem> {
	const expected = expectation ?? (await pendingExpectation(app, request));
	const now = app.clock();
	return withConstraint({ unique: nameTaken }, () =>
		app.db.transaction(async (tx) => {
			if ((await countRoutes(tx)) >= maxRoutes) throw tooMany();
			const values = { name, request, expectation: expected, createdAt: now, updatedAt: now };
			const [row] = await tx.insert(goldenRoutes).values(values).returning();
			if (row === undefined) throw new Error('The route was not stored.');
			return itemOf(row);
		})
	);
}

/** What is absent stays; another message keeps the expectation. @throws UserError name-taken, no-such-route, version-moved */
export async function updateRoute(
	app: App,
	{ id, version, ...fields }: z.infer<typeof inputs.updateRoute>
): Promise<inputs.RouteItem> {
	return withConstraint({ unique: nameTaken }, () =>
		app.db.transaction(async (tx) => {
			const before = await getRoute(tx, id, version);
			const set = { ...given(fields), updatedAt: app.clock(), version: before.version + 1 };
			const [row] = await tx.update(goldenRoutes).set(set).where(eq(goldenRoutes.id, id)).returning();
			if (row === undefined) throw notFound('route');
			return itemOf(row);
		})
	);
}

/** @throws UserError no-such-route, version-moved */
export async function removeRoute(
	app: App,
	{ id, version }: { id: string; version?: number | undefined }
): Promise<{ id: string }> {
	return app.db.transaction(async (tx) => {
		await getRoute(tx, id, version);
		await tx.delete(goldenRoutes).where(eq(goldenRoutes.id, id));
		return { id };
	});
}

/** All routes on one revision, by name. @throws UserError no-such-revision, and what makes a policy unreadable */
export async function checkRoutes(
	app: App,
	{ revision }: z.infer<typeof inputs.checkRoutes>
): Promise<z.infer<typeof inputs.checkAnswer>> {
	const rows = await allRoutes(app);
	if (rows.length === 0) return { items: [] };
	return { items: await withSimulator(app, revision, (run) => playRoutes(rows, run)) };
}

async function pendingExpectation(app: App, request: SimulatedMessage): Promise<inputs.Expectation> {
	try {
		return expectationOf(await simulate(app, request));
	} catch (error) {
		if (!(error instanceof UserError) || error.detail.field === undefined) throw error;
		throw new UserError(error.code, error.message, { ...error.detail, field: `request.${error.detail.field}` });
	}
}

async function countRoutes(db: DbOrTransaction, where?: ReturnType<typeof matchesText>): Promise<number> {
	const [row] = await db.select({ total: count() }).from(goldenRoutes).where(where);
	return row?.total ?? 0;
}

async function getRoute(db: DbOrTransaction, id: string, version: number | undefined): Promise<RouteRow> {
	const [row] = await db.select().from(goldenRoutes).where(eq(goldenRoutes.id, id)).limit(1);
	if (row === undefined) throw notFound('route');
	if (version !== undefined && version !== row.version) throw versionMoved('route');
	return row;
}

const itemOf = (row: RouteRow): inputs.RouteItem => routeItem.parse(row);

function nameTaken(): UserError {
	return new UserError('CONFLICT', 'Another golden route has this name. Nothing was saved. Choose another name.', {
		reason: 'name-taken',
		field: 'name'
	});
}

function tooMany(): UserError {
	return new UserError(
		'PRECONDITION_FAILED',
		`There are ${maxRoutes} golden routes already, and every apply runs them all. Nothing was saved. Remove one first.`,
		{ reason: 'too-many-routes' }
	);
}
