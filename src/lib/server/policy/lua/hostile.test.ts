import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
	chosen,
	from,
	generated,
	inbound,
	policyWith,
	relay,
	relayHost,
	rows,
	stranger,
	submission
} from './fixture.ts';
import { inject } from './injection.ts';
import { openSession } from './session.ts';
import type { Reply } from './transaction.ts';
import type { Policy } from './vm.ts';

const program = readFileSync(new URL('../program.lua', import.meta.url), 'utf8');

const names = [...Object.keys(rows.sender ?? {}), ...Object.keys(rows.mailbox ?? {})];
const pieces = [
	...names,
	'example.com',
	'bounce.example.com',
	'@',
	'+',
	'"',
	'\\',
	"'",
	' OR 1=1 --',
	'%s',
	'%',
	'{{ meta.x }}',
	'\0',
	'\r\n',
	'../',
	'<',
	'>',
	'(',
	')',
	',',
	';',
	':',
	'[',
	']',
	'\u202e',
	'é',
	'\u{1f600}',
	'null',
	'',
	'x'.repeat(300),
	'*',
	'.',
	'-',
	'=',
	'?'
];

/** Text made of what means something somewhere on the way, and of anything. */
const hostile = fc.oneof(
	{ weight: 3, arbitrary: fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((parts) => parts.join('')) },
	{ weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
	{ weight: 1, arbitrary: fc.constantFrom(...names) }
);

/** Well-formed UTF-8: KumoMTA answers other bytes itself before any handler runs. */
const wellFormed = hostile.map((text) => text.toWellFormed());
/** Often right, so that what comes after the first check is reached too. */
const likely = fc.oneof(
	wellFormed,
	fc.constantFrom(
		'news@example.com',
		'News <news@example.com>',
		'v=1@bounce.example.com',
		'a@example.net',
		'all@example.com'
	)
);
const ownQueues = ['null', ...Object.values(rows.mailbox ?? {}).map(({ id }) => `${id}.mailbox.internal`)];
const runs = { numRuns: 300, seed: 20_260_304 };

function expectCalm(reply: Reply, sent: readonly string[]): void {
	expect(reply.error).toBeUndefined();
	expect(reply.text.length).toBeLessThanOrEqual(100);
	expect(reply.text).toMatch(/^[\x20-\x7e]*$/);
	for (const text of sent) if (text.length > 25) expect(reply.text).not.toContain(text);
}

describe('hostile text', () => {
	let policy: Policy;
	let opened = 0;
	/** A revision serves some conversations, then a fresh one: throttles and caches start anew. */
	async function fresh(): Promise<Policy> {
		if (opened++ % 60 === 0) policy = await policyWith();
		policy.clock.seconds += 600;
		return policy;
	}
	afterEach(() => (opened = 0));

	it('in AUTH lets nobody in and crashes nothing', async () => {
		await fc.assert(
			fc.asyncProperty(wellFormed, wellFormed, wellFormed, async (user, password, authorizeAs) => {
				fc.pre(password !== generated && password !== chosen);
				const session = submission(await fresh());
				const reply = session.auth(user, password, authorizeAs);
				expect(reply.code).toBe(535);
				expectCalm(reply, [user, password, authorizeAs]);
				expect(session.meta().authn_id).toBeUndefined();
			}),
			runs
		);
	}, 60_000);

	it('in MAIL, RCPT and From is relayed for nobody unknown', async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.constantFrom('inbound', 'submission', 'relay'),
				wellFormed,
				wellFormed,
				wellFormed,
				async (listener, sender, recipient, author) => {
					const session = openSession(await fresh(), { listener, peer: stranger });
					const replies = [session.mailFrom(sender)];
					if (session.isOpen()) replies.push(session.rcptTo(recipient));
					const data = session.data(from(author));
					for (const reply of [...replies, data]) expectCalm(reply, [sender, recipient, author]);
					for (const { queue } of data.messages) expect(ownQueues).toContain(queue);
					if (listener !== 'inbound') expect(data.messages).toEqual([]);
				}
			),
			runs
		);
	}, 60_000);

	it('from an authenticated sender or a relay host is sent only as somebody known', async () => {
		let accepted = 0;
		await fc.assert(
			fc.asyncProperty(fc.boolean(), likely, likely, likely, async (isRelay, sender, recipient, author) => {
				const current = await fresh();
				const session = isRelay ? relay(current, relayHost) : submission(current);
				if (!isRelay) expect(session.auth('news@example.com', generated).code).toBe(235);
				const replies = [session.mailFrom(sender), session.rcptTo(recipient)];
				const data = session.data(from(author));
				for (const reply of [...replies, data]) expectCalm(reply, [sender, recipient, author]);
				accepted += data.messages.length;
				for (const { meta, signatures } of data.messages) {
					expect(
						isRelay ? ['news.example.com', 'all.example.com', 'mute.example.com'] : ['news.example.com']
					).toContain(meta.tenant);
					expect(signatures.map(({ domain }) => domain)).toEqual(['example.com', 'example.com']);
					expect(author.toLowerCase()).toContain('@example.com');
				}
			}),
			runs
		);
		expect(accepted).toBeGreaterThan(10);
	}, 60_000);

	it('over HTTP needs a known sender', async () => {
		await fc.assert(
			fc.asyncProperty(wellFormed, wellFormed, wellFormed, wellFormed, async (user, password, sender, author) => {
				fc.pre(password !== generated && password !== chosen);
				const reply = inject(await fresh(), {
					peer: stranger,
					basic: { user, password },
					sender,
					recipient: 'a@example.net',
					headers: from(author)
				});
				expect(reply).toEqual({ status: 401, reason: 'Authentication Failed' });
			}),
			runs
		);
	}, 60_000);

	it('in a campaign, a tenant or a queue’s name leaves every look-up an answer', async () => {
		await fc.assert(
			fc.asyncProperty(wellFormed, wellFormed, wellFormed, async (domain, tenant, campaign) => {
				const current = await fresh();
				const text = (value: string) => ({ kind: 'text', value }) as const;
				const queue = current.call('get_queue_config', text(domain), text(tenant), text(campaign), text(domain));
				expect(queue).toMatchObject({
					kind: 'value',
					value: { egress_pool: expect.stringMatching(/^(main|gone)$/) as string }
				});
				expect(current.call('get_egress_pool', text(tenant)).kind).toBe('value');
				expect(current.observed().memoKeys.every((key) => key.length < 400)).toBe(true);
			}),
			runs
		);
	}, 60_000);
});

describe('the program’s text', () => {
	it('passes every HMAC key as { key_data = … }: a string would be opened as a file', () => {
		const calls = program.match(/\b(?:hmac_\w+|hmac)\s*[({"'[]/g) ?? [];
		const digests = [...program.matchAll(/kumo\.digest\.(\w+)(.{0,15})/g)];
		expect(calls.length).toBeGreaterThan(2);
		expect(digests.length).toBe(2);
		for (const [, name, rest] of digests) {
			expect(name).toBe('hmac_sha256');
			expect(rest).toMatch(/^\(\{ key_data = /);
		}
		expect(/\bdigest\s*\[|=\s*kumo\.digest\b(?!\.)/.test(program)).toBe(false);
	});

	it('refuses only with texts of its own, at most 100 characters long', () => {
		const refusals = [...program.matchAll(/(?:refuse|kumo\.disconnect|kumo\.reject)\(\s*(\d{3}), '([^']*)'/g)];
		expect(refusals.length).toBeGreaterThan(20);
		for (const [, code, text] of refusals) {
			expect(text?.length).toBeLessThanOrEqual(100);
			expect(text).toMatch(/^[45]\.\d\.\d [\x20-\x7e]+$/);
			expect(text?.[0]).toBe(code?.[0]);
		}
		const all = program.match(/\brefuse\(/g) ?? [];
		const declared = 1;
		expect(refusals.length).toBe(all.length - declared + 1);
	});

	it('never returns nil from a handler and selects one column', () => {
		const handlers = program
			.split(/^function handlers\./m)
			.slice(1)
			.map((text) => text.split(/^end$/m)[0] ?? '');
		expect(handlers.length).toBe(19);
		for (const handler of handlers) expect(handler).not.toMatch(/\breturn nil\b/);
		for (const [, columns] of program.matchAll(/SELECT (.*?) FROM/g))
			expect(['value', "scope || ' ' || reason"]).toContain(columns);
	});
});

describe('one session', () => {
	it('has no state that helps the next one', async () => {
		const policy = await policyWith();
		const first = submission(policy);
		expect(first.auth('news@example.com', generated).code).toBe(235);
		expect(submission(policy).mailFrom('news@example.com').code).toBe(530);
		const other = inbound(policy);
		other.mailFrom('news@example.com');
		expect(other.rcptTo('victim@example.net').code).toBe(550);
	});
});
