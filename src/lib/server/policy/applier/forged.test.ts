import { execFileSync } from 'node:child_process';
import {
	chmodSync,
	chownSync,
	existsSync,
	linkSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	symlinkSync,
	writeFileSync
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { caller } from '../../../../../tests/support/app.ts';
import { layRequest, openSplit, packed, unpacked } from '../../../../../tests/support/applier.ts';
import type { SplitPanel } from '../../../../../tests/support/applier.ts';
import { fillEstate } from '../../../../../tests/support/policy-app.ts';
import { Secret } from '../../core/secret.ts';
import { newId } from '../../core/id.ts';
import { sha256 } from '../live.ts';
import { closeCompiler } from '../compile.ts';
import { openInbox } from './inbox.ts';
import { unpackLines } from './lines.ts';

/** What a panel can write that is in somebody else's hands. */

type Line = [kind: string, value: Record<string, unknown>];
type Header = { ref: string; wish: Record<string, unknown> } & Record<string, unknown>;

let panel: SplitPanel;
/** A request that the panel itself wrote, to be forged. */
let genuine: unknown[];
let before: string;

beforeAll(async () => {
	panel = await openSplit({
		async panelFaultPoint(name) {
			if (name !== 'applier.request-written') return;
			const { inbox } = panel.places;
			const [file = ''] = readdirSync(inbox).filter((each) => each.endsWith('.tmp'));
			const values = await unpacked(readFileSync(join(inbox, file)));
			if ((values[0] as Header).wish.kind === 'apply') genuine = values;
		}
	});
	const { app } = panel;
	await fillEstate({ client: app.database.client, keys: app.keys }, { domains: 2, senders: 2 });
	panel.serve();
	const { policy, mutation } = caller(app);
	await mutation('policy.apply' as never, { expectedHash: (await policy.preview()).hash } as never);
	await panel.rest();
}, 60_000);

beforeEach(() => {
	before = everything();
});

afterAll(async () => {
	await closeCompiler(panel.app);
});

/** All that the applier may change, by name, mode, owner and content; but not the number of the last request. */
function everything(): string {
	const { kumomtaRoot, results, mailRoot, dovecotEtc } = panel.places;
	const lines: string[] = [];
	const look = (path: string) => {
		const state = lstatSync(path, { throwIfNoEntry: false });
		if (state === undefined || /last-request$|state\.json$|\/answers$|\.apply\.lock|\/private$/.test(path)) {
			if (state?.isDirectory())
				readdirSync(path).forEach((name) => !path.endsWith('/answers') && look(join(path, name)));
			return;
		}
		const content = state.isFile() ? sha256(readFileSync(path)) : '';
		lines.push([path, state.mode, state.uid, state.gid, state.ino, content].join(' '));
		if (state.isDirectory())
			readdirSync(path)
				.sort()
				.forEach((name) => look(join(path, name)));
	};
	[kumomtaRoot, results, mailRoot, dovecotEtc].forEach(look);
	return lines.join('\n');
}

/** The genuine request under a new name and the next number, changed. */
function forge(change: { header?: object; wish?: object; lines?: (lines: Line[]) => unknown[] } = {}): unknown[] {
	const [header, ...lines] = structuredClone(genuine) as [Header, ...Line[]];
	const wish = { ...header.wish, number: 2, ...change.wish };
	return [{ ...header, ref: newId(), ...change.header, wish }, ...(change.lines?.(lines) ?? lines)];
}

const refOf = (values: unknown[]) => (values[0] as Header).ref;

function answerOf(ref: string): Record<string, unknown> | undefined {
	const path = join(panel.places.results, 'answers', `${ref}.json`);
	return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>) : undefined;
}

async function lay(values: unknown[], number?: number): Promise<Record<string, unknown> | undefined> {
	layRequest(panel.places, await packed(values), number);
	await panel.once();
	return answerOf(refOf(values));
}

const edited =
	(kind: string, change: object) =>
	(lines: Line[]): unknown[] =>
		lines.map(([name, value]) => (name === kind ? [name, { ...value, ...change }] : [name, value]));

const head = (part: string, change: object) => (lines: Line[]) =>
	lines.map(([name, value]) => {
		if (name !== 'head') return [name, value];
		const found = value[part];
		return [
			name,
			{
				...value,
				[part]: Array.isArray(found)
					? found.map((each: object) => ({ ...each, ...change }))
					: { ...(found as object), ...change }
			}
		];
	});

const isRoot = process.getuid?.() === 0;

describe('a request that is not the panel’s own', () => {
	it('the genuine one, under the next number, would be taken: so what follows is refused for what was changed', async () => {
		const values = forge({ wish: { hash: '0'.repeat(64) } });
		expect(await lay(values)).toMatchObject({ outcome: 'refused', refusal: { reason: 'pending-moved' } });
		expect(everything()).toBe(before);
	});

	const hostile: [name: string, values: () => unknown[]][] = [
		['a path in the name of its answer', () => forge({ header: { ref: '../../../etc/pass' } })],
		[
			'a path as the revision to restore',
			() => forge({ wish: { kind: 'restore', from: '../../../etc', dropping: undefined } })
		],
		['a wish that does not exist', () => forge({ wish: { kind: 'run', command: 'id' } })],
		['a field more', () => forge({ header: { program: 'os.execute("id")' } })],
		['a field more in the wish', () => forge({ wish: { program: 'os.execute("id")' } })],
		['another format', () => forge({ header: { format: 2 } })],
		['a number that is none', () => forge({ wish: { number: -1 } })],
		['a number beyond all', () => forge({ wish: { number: 2 ** 40 } })],
		['a domain that is a path', () => forge({ lines: head('domains', { name: '../../../../tmp/x' }) })],
		['a selector that is a path', () => forge({ lines: head('dkimKeys', { selector: '../../x' }) })],
		['Lua in a domain', () => forge({ lines: head('domains', { name: "x'..os.execute('id')..'" }) })],
		['a bounce host with a line break', () => forge({ lines: head('domains', { bounceHost: 'a.example\nroot' }) })],
		['a TLS directory outside', () => forge({ lines: head('settings', { tlsName: '../../../root' }) })],
		[
			'a spool that climbs',
			() =>
				forge({
					lines: head('settings', { spool: { directory: '/var/../etc', kind: 'LocalDisk', minFreePercent: 1 } })
				})
		],
		[
			'a log directory that climbs',
			() => forge({ lines: head('settings', { logs: { directory: '/a/../../b', maxSegmentSeconds: 10 } }) })
		],
		['a glob that climbs', () => forge({ lines: head('settings', { monitorGlobs: ['/etc/../root/*'] }) })],
		['a field more in the settings', () => forge({ lines: head('settings', { custom_lua: 'x' }) })],
		['a sender with a field more', () => forge({ lines: edited('sender', { shell: '/bin/sh' }) })],
		[
			'a sender that is no address',
			() => forge({ lines: edited('sender', { address: '"; DROP TABLE x; --"@example.com' }) })
		],
		['a tenant that is a path', () => forge({ lines: edited('sender', { tenant: '../x' }) })],
		[
			'a prototype for a field',
			() => forge({ lines: (lines) => [JSON.parse('["head",{"__proto__":{"settings":{}}}]'), ...lines.slice(1)] })
		],
		['no data', () => forge({ lines: () => [] })],
		['a line that is no line', () => forge({ lines: (lines) => [...lines, ['rm', { path: '/' }]] })],
		['a sender twice', () => forge({ lines: (lines) => [...lines, lines.at(-1)] })]
	];
	it.each(hostile)('%s changes nothing', async (_, make) => {
		const values = make();
		const answer = await lay(values);
		if (answer !== undefined) expect(answer.outcome).toBe('refused');
		expect(everything()).toBe(before);
	});

	it('an older number, or the same again, is not looked at', async () => {
		const values = forge();
		const last = Number(readFileSync(join(panel.places.results, 'private/last-request'), 'utf8'));
		for (const number of [last, last - 1, 1]) {
			expect(await lay(values, number)).toBeUndefined();
			expect(everything()).toBe(before);
		}
	});

	it('the name of an answer that was given before is not answered again', async () => {
		const values = forge({ header: { ref: refOf(genuine) } });
		const was = answerOf(refOf(genuine));
		await lay(values);
		expect(answerOf(refOf(genuine))).toEqual(was);
		expect(everything()).toBe(before);
	});

	it('the number of a revision that is there is not given again', async () => {
		const { hash } = (genuine[0] as Header).wish;
		expect(await lay(forge({ wish: { number: 1, hash } }))).toMatchObject({
			outcome: 'refused',
			refusal: { reason: 'number-taken' }
		});
		expect(everything()).toBe(before);
	});

	it('a key that is not the one that the data name becomes no file', async () => {
		const { app, places } = panel;
		const [header, ...lines] = structuredClone(genuine) as [Header, ...Line[]];
		const purposes = (lines[0]?.[1].domains as { name: string }[]).map(({ name }) => `dkim:${name}:k1`);
		const other = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
		const keys = lines.filter(([kind]) => kind === 'key');
		expect(keys.length).toBe(purposes.length);
		const file = join(places.kumomtaRoot, 'etc/dkim', purposes[0]?.split(':')[1] ?? '', 'k1.key');
		const kept = readFileSync(file);
		renameSync(file, join(places.inbox, 'kept.key'));
		try {
			const forged = lines.map((line) =>
				line[0] === 'key'
					? ['key', { ...line[1], sealed: app.keys.applier.seal(new Secret(other), purposes[0] ?? '') }]
					: line
			);
			const answer = await lay([{ ...header, ref: newId(), wish: { ...header.wish, number: 50 } }, ...forged]);
			expect(answer).toMatchObject({ outcome: 'failed', refusal: { reason: 'dkim-file' } });
			expect(existsSync(file)).toBe(false);
			expect(readFileSync(join(places.kumomtaRoot, 'etc/policy/init.lua'), 'utf8')).toContain('revision 1-');
		} finally {
			renameSync(join(places.inbox, 'kept.key'), file);
			expect(readFileSync(file)).toEqual(kept);
		}
	});
});

describe('a file that is no request', () => {
	const bytes = () => packed(forge());

	it('a link to a file of root’s, or of anybody', async () => {
		const target = join(panel.places.results, 'private/applier.key');
		symlinkSync(target, layRequest(panel.places, undefined));
		await panel.once();
		expect(everything()).toBe(before);
		expect(readdirSync(join(panel.places.inbox, 'requests'))).toEqual([]);
		expect(existsSync(target)).toBe(true);
	});

	it('a second name of another file', async () => {
		const own = join(panel.places.inbox, 'another');
		writeFileSync(own, await bytes());
		linkSync(own, layRequest(panel.places, undefined));
		await panel.once();
		expect(panel.appliersLog.at(-1)).toContain('more than one name');
		expect(everything()).toBe(before);
		expect(existsSync(own)).toBe(true);
	});

	it('a FIFO, which nobody ever writes', async () => {
		execFileSync('mkfifo', [layRequest(panel.places, undefined)]);
		await panel.once();
		expect(everything()).toBe(before);
		expect(readdirSync(join(panel.places.inbox, 'requests'))).toEqual([]);
	});

	it('a directory that is not empty does not start the applier for ever', async () => {
		const path = layRequest(panel.places, undefined);
		mkdirSync(join(path, 'below'), { recursive: true });
		mkdirSync(join(panel.places.inbox, 'requests/no-number/below'), { recursive: true });
		await panel.once();
		expect(everything()).toBe(before);
		expect(readdirSync(join(panel.places.inbox, 'requests'))).toEqual([]);
	});

	it.runIf(isRoot)('a file of somebody else', async () => {
		chownSync(layRequest(panel.places, await bytes()), 12_345, 12_345);
		await panel.once();
		expect(panel.appliersLog.at(-1)).toContain('belongs to somebody else');
		expect(everything()).toBe(before);
	});

	it('one that was cut off, at any place', async () => {
		const whole = await bytes();
		for (const part of [0, 1, 10, 0.5, 0.9, 0.999]) {
			layRequest(panel.places, whole.subarray(0, part < 1 ? Math.floor(whole.length * part) : part));
			await panel.once();
			expect(everything()).toBe(before);
		}
	});

	it('one whose last line is missing', async () => {
		const lines = forge().map((value) => `${JSON.stringify(value)}\n`);
		layRequest(panel.places, gzipSync(lines.join('')));
		await panel.once();
		expect(everything()).toBe(before);
	});

	it('one that is not packed, and one that is nothing', async () => {
		for (const text of ['{"format":1}\n"end"\n', 'x'.repeat(100_000), '\0'.repeat(100)]) {
			layRequest(panel.places, Buffer.from(text));
			await panel.once();
			expect(everything()).toBe(before);
		}
	});

	it('one that unpacks to more than there is room for, or has a line without an end', async () => {
		const bomb = gzipSync(Buffer.alloc(50_000_000, 'a'));
		expect(bomb.length).toBeLessThan(100_000);
		const limits = { packed: 1e6, unpacked: 10_000_000, line: 1_000_000 };
		const { Readable } = await import('node:stream');
		for (const limit of [limits, { ...limits, unpacked: 1e9 }])
			await expect(Array.fromAsync(unpackLines(Readable.from([bomb]), limit))).rejects.toMatchObject({
				detail: { reason: 'request-damaged' }
			});
	});

	it('one that is changed, or replaced, while it is read is what was read or nothing', async () => {
		const big = forge({ lines: (lines) => [...lines, ...Array.from({ length: 20_000 }, () => lines.at(-1))] });
		const path = layRequest(panel.places, await packed(big));
		const inbox = openInbox(panel.places.inbox, process.getuid?.() ?? -1);
		const [number = 0] = inbox?.list() ?? [];
		const file = await inbox?.take(number);
		// Gone under its name: what lies there now is another request.
		expect(existsSync(path)).toBe(false);
		const stream = file?.createReadStream({ highWaterMark: 1024 });
		const lines = unpackLines(stream as NonNullable<typeof stream>);
		const first = await lines.next();
		expect((first.value as Header).ref).toBe(refOf(big));
		await file?.stat();
		inbox?.close();
		await lines.return(undefined);
		expect(everything()).toBe(before);
	});
});

describe('an inbox that is another directory', () => {
	const uid = process.getuid?.() ?? -1;

	it('a link on the way, or in its place, is not followed', () => {
		const { inbox, results } = panel.places;
		for (const path of [inbox, join(inbox, 'requests')]) {
			renameSync(path, `${path}.aside`);
			symlinkSync(results, path);
			expect(() => openInbox(inbox, uid)).toThrow('a part of its path is a link');
			execFileSync('rm', [path]);
			renameSync(`${path}.aside`, path);
		}
		expect(everything()).toBe(before);
	});

	it('one of somebody else, or that others can write, is not used', () => {
		const { inbox } = panel.places;
		expect(() => openInbox(inbox, uid + 1)).toThrow('belongs to somebody else');
		chmodSync(inbox, 0o777);
		expect(() => openInbox(inbox, uid)).toThrow('others can write it');
		chmodSync(inbox, 0o700);
	});
});
