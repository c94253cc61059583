import { eq } from 'drizzle-orm';
import { z } from 'zod';
import type { App } from '../app.ts';
import { nextVersion } from '../core/columns.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { versionMoved } from '../core/errors.ts';
import { given } from '../core/inputs.ts';
import type { rulesItem, updateRules as updateRulesInput } from './inputs.ts';
import { bounceRule, complaintRule, softRule } from './rule-fields.ts';
import { suppressionRules as stored } from './tables.ts';

/** What is stored is complete, or the defaults hold: a rule that lost a part must not suppress anybody. */
const rules = z.object({ hard: bounceRule, soft: softRule, complaint: complaintRule, reports: z.boolean() });
export type Rules = z.infer<typeof rules>;

/** Classes as KumoMTA's classifier names them (docs/reference/kumo/configure_bounce_classifier.md). */
const defaults: Rules = {
	hard: { enabled: true, classes: ['InvalidRecipient', 'InactiveMailbox'], count: 1, days: 30, scope: 'domain' },
	soft: {
		enabled: true,
		classes: ['QuotaIssues', 'BadDomain', 'DNSFailure', 'NoAnswerFromHost', 'RoutingErrors', 'MessageExpired'],
		count: 5,
		days: 14,
		expiryDays: 30,
		scope: 'domain'
	},
	complaint: { enabled: true, classes: ['abuse', 'fraud', 'opt-out'], scope: 'domain' },
	reports: true
};

export async function readRules(db: DbOrTransaction): Promise<Rules> {
	const [row] = await db.select().from(stored).limit(1);
	return rules.safeParse(row?.rules).data ?? defaults;
}

export async function getRules(db: DbOrTransaction): Promise<z.infer<typeof rulesItem>> {
	const [row] = await db.select({ updatedAt: stored.updatedAt, version: stored.version }).from(stored).limit(1);
	return { ...(await readRules(db)), updatedAt: row?.updatedAt ?? null, version: row?.version ?? 1 };
}

export async function updateRules(
	app: App,
	{ version, ...input }: z.infer<typeof updateRulesInput>
): Promise<z.infer<typeof rulesItem>> {
	return app.db.transaction(async (tx) => {
		const seen = await getRules(tx);
		if (version !== undefined && version !== seen.version) throw versionMoved('rule');
		const fields = { rules: { ...(await readRules(tx)), ...given(input) }, updatedAt: app.clock() };
		await tx
			.insert(stored)
			.values({ id: 1, ...fields })
			.onConflictDoNothing();
		await tx
			.update(stored)
			.set({ ...fields, version: nextVersion })
			.where(eq(stored.id, 1));
		return getRules(tx);
	});
}
