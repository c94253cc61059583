import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { policyRoots } from '../../src/lib/server/policy/roots.ts';
import { procedures, textFieldsOf, withValue } from '../support/contract.ts';
import type { Answer, Parsed } from '../support/contract.ts';
import { hostileText, hostileTexts } from '../support/hostile.ts';
import { expectFaithfulFiles, expectFaithfulPolicy } from '../support/revision-files.ts';
import { openWorld, validInputs } from '../support/world.ts';
import type { World } from '../support/world.ts';

/** A value typed by a user never becomes Lua, a TOML key, a path segment or a log line of its own. */

let world: World;
let passwordHash: unknown;
let number = 0;

beforeAll(async () => {
	world = await openWorld();
	passwordHash = (await world.app.database.client.execute('SELECT password_hash FROM users')).rows[0]?.password_hash;
});
afterAll(() => world.close());

/** What moves a terminal, turns a line around or is no text at all. Notes may have lines. */
const unprintable = /(?![\n\t])[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

function expectPlainText(value: unknown): void {
	if (typeof value === 'string') expect(value).not.toMatch(unprintable);
	else if (typeof value === 'object' && value !== null) Object.values(value).forEach(expectPlainText);
}

function expectPlainRefusal({ error, text }: Answer): void {
	expect(error.code, text).toMatch(/^(?:BAD_REQUEST|NOT_FOUND|CONFLICT|PRECONDITION_FAILED|UNAUTHORIZED|FORBIDDEN)$/);
	for (const message of [
		error.message,
		...Object.keys(error.fieldErrors),
		...Object.values(error.fieldErrors).flat()
	]) {
		expect(message).not.toMatch(unprintable);
		expect(message.length, message).toBeLessThan(500);
	}
}

/** Counted tries and a changed password of the run before decide nothing here. */
const forgetRuns = () =>
	world.app.database.client.batch(
		['DELETE FROM attempts', { sql: 'UPDATE users SET password_hash = ?', args: [passwordHash as string] }],
		'write'
	);

const fieldsOf = (kind: 'query' | 'mutation') =>
	procedures
		.filter((each) => each.kind === kind)
		.flatMap(({ path, input }) =>
			textFieldsOf(input).map((field) => ({ path, field, name: `${path} ${field.path.join('.')}` }))
		);

/** At most 500 are saved; and whatever a route expects would stand in the way of an apply. */
const forgetRoutes = () =>
	world.app.database.client.execute({ sql: 'DELETE FROM golden_routes WHERE id <> ?', args: [world.ids.route] });

/** Each try costs a bcrypt: fewer of them. */
const isSlow = (name: string) => /^auth\.(?!sessions)|^bounces\..* password$/.test(name);

describe('text in', () => {
	it.each(fieldsOf('mutation'))(
		'$name',
		async ({ path, field, name }) => {
			await forgetRoutes();
			const inputs = () => validInputs(world, ++number)[path]!;
			const variant = inputs().findIndex((input) => withValue(input, field.path, 'x') !== undefined);
			expect(variant, 'validInputs lacks this field').toBeGreaterThanOrEqual(0);
			const valueIn = (input: unknown) =>
				field.path.reduce((value: Parsed, step) => value[step], input) as string | null;
			const isPlain = field.isId || field.isChoice;
			const base = isPlain ? undefined : await world.call(path, inputs()[variant]);
			if (base?.ok === false) expectPlainRefusal(base);
			const right = valueIn(inputs()[variant]) ?? 'sixteen letters or more';
			let accepted = 0;
			await fc.assert(
				fc.asyncProperty(
					hostileText(right).filter((text) => text !== right),
					async (text) => {
						if (isSlow(name)) await forgetRuns();
						const answer = await world.call(path, withValue(inputs()[variant], field.path, text));
						if (answer.ok) {
							expectPlainText(answer.data);
							accepted += 1;
							if (accepted < 8 || accepted % 5 === 0) await expectFaithfulPolicy(world.app);
							return;
						}
						expectPlainRefusal(answer);
						const isRefusedAnyway = base?.ok === false && base.error.reason === answer.error.reason;
						if (!isRefusedAnyway)
							expect(Object.keys(answer.error.fieldErrors), answer.text).toEqual([field.path.join('.')]);
					}
				),
				{
					seed: 20_261_124,
					numRuns: isSlow(name) ? 5 : isPlain ? 8 : 2 * hostileTexts.length + 10,
					examples: isSlow(name) || isPlain ? [] : hostileTexts.flatMap((text): [string][] => [[text], [right + text]])
				}
			);
			await expectFaithfulPolicy(world.app);
		},
		60_000
	);
});

describe('text asked for', () => {
	it.each(fieldsOf('query'))('$name', async ({ path, field }) => {
		const base = validInputs(world, 1)[path]!.find((input) => withValue(input, field.path, 'x') !== undefined);
		expect(base, 'validInputs lacks this field').toBeDefined();
		for (const text of hostileTexts) {
			const { cursor: _, ...input } = base as Record<string, unknown>;
			const asked = field.path[0] === 'cursor' ? { ...input, cursor: text } : withValue(input, field.path, text);
			const answer = await world.call(path, asked);
			if (answer.ok) continue;
			expectPlainRefusal(answer);
			expect(Object.keys(answer.error.fieldErrors), answer.text).toEqual([field.path.join('.')]);
		}
	});
});

describe('an import', () => {
	it('keeps hostile cells in their lines, and commits nothing that the policy would not say', async () => {
		const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
		const columns = ['domain', 'sender', 'pool', 'from_policy', 'limit', 'password', 'dkim'];
		const line = ['example.com', 'import', 'main', 'address', '10/hour', 'sixteen letters or more', 'no'];
		for (const [index, column] of columns.entries()) {
			const upload = await world.must('imports.create', { kind: 'domains-and-senders' });
			const rows = hostileTexts.map((text, row) => line.with(1, `import${row}`).with(index, text).map(cell).join(','));
			const text = [columns.join(','), ...rows].join('\n');
			const appended = await world.call('imports.append', { id: upload.id, part: 0, text: text.toWellFormed() });
			expect(appended.text).toMatch(/"parts":1/);
			const preview = await world.must('imports.preview', { id: upload.id, limit: 200 });
			for (const item of preview.items) {
				for (const name of [item.domain, item.address]) if (name !== null) expect(name).toMatch(/^[\x21-\x7e]+$/);
				for (const { message } of item.errors) expect(message).not.toMatch(unprintable);
			}
			const wrong = new Set<number>(
				preview.items.flatMap(({ errors, line: at }: Parsed) => (errors.length > 0 ? [at] : []))
			);
			expect(wrong.size, column).toBeGreaterThan(0);
			const refused = await world.call('imports.commit', { id: upload.id, expectedHash: preview.hash });
			expect(refused.error).toMatchObject({ code: 'PRECONDITION_FAILED', reason: 'import-has-errors' });
			const right = rows.filter((_, row) => !wrong.has(preview.items[row]?.line));
			await commitRows(upload.id, [columns.join(','), ...right]);
		}
	});

	async function commitRows(id: string, lines: string[]): Promise<void> {
		if (lines.length === 1) return void (await world.must('imports.discard', { id }));
		await world.must('imports.append', { id, part: 0, text: lines.join('\n').toWellFormed() });
		const { hash, summary } = await world.must('imports.preview', { id });
		expect(summary).toMatchObject({ errors: 0 });
		await world.must('imports.commit', { id, expectedHash: hash });
		await expectFaithfulPolicy(world.app);
	}
});

describe('what was let in', () => {
	it('is applied as data: the fixed lines, the fixed file names, and nothing else', async () => {
		await world.must('settings.update', { listeners: null, tls: null, relayHosts: [], httpApi: 'credential' });
		await world.app.database.client.execute('DELETE FROM golden_routes');
		const names = ["it's named", 'a "quoted" name', 'C:\\new', ']] -- named', '%s ${HOME} {{ x }}', '__proto__.named'];
		for (const [index, name] of names.entries()) {
			const source = { address: `203.0.113.${index + 10}`, ehloDomain: `named${index}.example.org`, name };
			expect((await world.must('sources.create', source)).name).toBe(name);
		}
		const localParts = ["o'brien.tag", '`id`.tag', '${x}', "a'/b/c", '{{x}}', '--.x', '%s%n.tag'];
		for (const localPart of localParts)
			await world.must('senders.create', { domainId: world.ids.domain, poolId: world.ids.pool, localPart });
		await world.must('pools.create', { name: 'toString', sources: [{ sourceId: world.ids.source, weight: 1 }] });
		const { hash } = await world.must('policy.preview');
		const reason = ']] os.execute(\'id\') --[[ "quoted" \\ ${x}';
		const applied = await world.must('policy.apply', { expectedHash: hash, reason, overwriteDrift: true });
		expect(applied).toMatchObject({ outcome: 'applied' });
		await expectFixedFiles(applied.revision, hash, reason);
		expect(await world.must('policy.revision', { number: applied.revision })).toMatchObject({ reason });
	});

	async function expectFixedFiles(revision: number, hash: string, reason: string): Promise<void> {
		const roots = policyRoots(world.app.env.kumomtaRoot);
		const name = `${revision}-${hash.slice(0, 12)}`;
		const directory = join(roots.revisions, name);
		expect(readFileSync(roots.init, 'utf8')).toBe(
			`-- kumomta-ui revision ${name}\nKUMOMTA_UI_REVISION_DIRECTORY = '${directory}' dofile(KUMOMTA_UI_REVISION_DIRECTORY .. '/program.lua')\n`
		);
		expect(readdirSync(directory).sort()).toEqual(
			['directory.sqlite', 'manifest.json', 'node.toml', 'program.lua', 'shaping.toml'].sort()
		);
		await expectFaithfulFiles(world.app, directory, name);
		const paths = readdirSync(world.app.env.kumomtaRoot, { recursive: true, encoding: 'utf8' });
		for (const path of paths) expect(path).toMatch(/^[A-Za-z0-9._/-]+$/);
		expect(readFileSync(join(directory, 'program.lua'), 'utf8')).not.toContain(reason);
	}

	it('is one line each in the log, and reads back from the audit log', async () => {
		for (const line of world.app.logLines) {
			expect(line).not.toMatch(/[\n\r]/);
			expect(JSON.parse(line)).toHaveProperty('event');
		}
		let cursor: string | undefined;
		do {
			const page = await world.must('audit.list', { limit: 200, ...(cursor !== undefined && { cursor }) });
			for (const { outcome } of page.items) expect(outcome).not.toBe('INTERNAL_SERVER_ERROR');
			cursor = page.nextCursor ?? undefined;
		} while (cursor !== undefined);
	});
});
