import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { testHost } from '../../../../../tests/support/policy-app.ts';
import { writeSuppression } from '../../../../../tests/support/suppression-files.ts';
import type {
	SuppressionFile,
	SuppressionFiles,
	SuppressionRow
} from '../../../../../tests/support/suppression-files.ts';
import { stageSuppressionFile } from '../../suppression/write-file.ts';
import { answer, from, inbound, loggedIn, policyWith, relay, suppressionRootOf, switchedOn } from './fixture.ts';
import { inject } from './injection.ts';
import type { Policy } from './vm.ts';

const counter = 'kumomta_ui_suppression_unreadable';
const openWith = (suppression: SuppressionFiles) => policyWith({ rows: switchedOn, suppression });

function rcpt(policy: Policy, recipient: string, listener: 'submission' | 'relay' = 'submission'): string {
	const session = listener === 'submission' ? loggedIn(policy) : relay(policy);
	if (session.mailFrom('news@example.com').code !== 250) throw new Error('MAIL FROM was refused.');
	return answer(session.rcptTo(recipient));
}

const own = '550 5.7.1 suppressed by the list of example.com: hard-bounce';
const everywhere = '550 5.7.1 suppressed by the global list: complaint';

describe('RCPT to an address on a list', () => {
	const gone: SuppressionFile = [['gone@example.net', 'example.com', 'hard-bounce']];
	const all: SuppressionFile = [['gone@example.net', '', 'complaint']];
	const cases: [what: string, files: SuppressionFiles, recipient: string, expected: string][] = [
		['of the domain, in the base', { base: gone, delta: [] }, 'gone@example.net', own],
		['of the domain, in the delta', { base: [], delta: gone }, 'gone@example.net', own],
		['global, in the base', { base: all, delta: [] }, 'gone@example.net', everywhere],
		['global, in the delta', { base: [], delta: all }, 'gone@example.net', everywhere],
		['of both', { base: gone, delta: all }, 'gone@example.net', own],
		['in capitals', { base: gone, delta: [] }, 'GONE@Example.NET', own],
		['with a quoted local part', { base: gone, delta: [] }, '"gone"@example.net', own],
		['with a dot after its domain', { base: gone, delta: [] }, 'gone@example.net.', own],
		['with a tag, which stays', { base: gone, delta: [] }, 'gone+1@example.net', '250 OK'],
		[
			'at an A-label',
			{ base: [['a@xn--bcher-kva.example', '', 'manual']], delta: [] },
			'a@xn--bcher-kva.example',
			'550 5.7.1 suppressed by the global list: manual'
		],
		[
			'of another domain only',
			{ base: [['gone@example.net', 'strict.example', 'manual']], delta: [] },
			'gone@example.net',
			'250 OK'
		],
		['nobody', { base: gone, delta: all }, 'here@example.net', '250 OK'],
		[
			'taken off by the delta',
			{ base: gone, delta: [['gone@example.net', 'example.com', '']] },
			'gone@example.net',
			'250 OK'
		],
		[
			'taken off the global list by the delta',
			{ base: all, delta: [['gone@example.net', '', '']] },
			'gone@example.net',
			'250 OK'
		],
		[
			'taken off one list of two',
			{ base: [...gone, ...all], delta: [['gone@example.net', 'example.com', '']] },
			'gone@example.net',
			everywhere
		],
		[
			'taken off the other list of two',
			{ base: [...gone, ...all], delta: [['gone@example.net', '', '']] },
			'gone@example.net',
			own
		],
		[
			'for another reason in the delta',
			{ base: gone, delta: [['gone@example.net', 'example.com', 'manual']] },
			'gone@example.net',
			'550 5.7.1 suppressed by the list of example.com: manual'
		],
		[
			'for a reason that no file should hold',
			{ base: [['gone@example.net', '', 'x\r\n250 OK']], delta: [] },
			'gone@example.net',
			'550 5.7.1 suppressed by the global list: listed'
		]
	];
	it.each(cases)('%s', async (_what, files, recipient, expected) => {
		const policy = await openWith(files);
		expect(rcpt(policy, recipient)).toBe(expected);
		expect(rcpt(policy, recipient, 'relay')).toBe(expected);
		expect(policy.observed()).toMatchObject({ logs: [] });
	});

	it('names no domain that would push the reason out of a reply', async () => {
		const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.example`;
		const policy = await policyWith({
			rows: {
				...switchedOn,
				domain: {
					...switchedOn.domain,
					[long]: {
						id: 'd9',
						name: long,
						bounceHost: `b.${long}`,
						anyReturnPath: true,
						keys: [{ selector: 's1', algorithm: 'rsa-2048' }],
						ready: true,
						suppression: true
					}
				},
				bounce_host: { ...switchedOn.bounce_host, [`b.${long}`]: { domain: long } }
			},
			suppression: { base: [['gone@example.net', long, 'hard-bounce']], delta: [] }
		});
		const session = relay(policy);
		session.mailFrom(`v=1@b.${long}`);
		expect(answer(session.rcptTo('gone@example.net'))).toBe(
			'550 5.7.1 suppressed by the list of the sender domain: hard-bounce'
		);
	});

	it('lets the others of a transaction pass', async () => {
		const session = relay(await openWith({ base: gone, delta: [] }));
		session.mailFrom('v=7@bounce.example.com');
		expect(session.rcptTo('here@example.net').code).toBe(250);
		expect(answer(session.rcptTo('gone@example.net'))).toBe(own);
		const data = session.data(from('news@example.com'));
		expect(data.messages.map(({ recipient }) => recipient)).toEqual(['here@example.net']);
	});

	it('judges each transaction of a connection by its own MAIL FROM', async () => {
		const session = relay(await openWith({ base: gone, delta: [] }));
		session.mailFrom('news@example.com');
		expect(answer(session.rcptTo('gone@example.net'))).toBe(own);
		session.reset();
		session.mailFrom('me@strict.example');
		expect(session.rcptTo('gone@example.net').code).toBe(250);
		session.reset();
		session.mailFrom('v=1@bounce.example.com');
		expect(answer(session.rcptTo('gone@example.net'))).toBe(own);
	});

	it('is nothing to a domain that has it off, and to mail that comes to a bounce host', async () => {
		const files: SuppressionFiles = { base: [['bounces@b.strict.example', '', 'manual'], ...all], delta: [] };
		const off = await policyWith({ suppression: files });
		expect(rcpt(off, 'gone@example.net')).toBe('250 OK');
		const policy = await openWith(files);
		const session = inbound(policy);
		session.mailFrom('');
		expect(session.rcptTo('bounces@b.strict.example').code).toBe(250);
	});
});

describe('where RCPT did not know the domain', () => {
	const base: SuppressionFile = [['gone@example.net', 'example.com', 'complaint']];

	it('DATA refuses the whole transaction and says which recipient it was', async () => {
		const policy = await openWith({ base, delta: [] });
		const connection = policy.newConnection({ x_purpose: 'relay', received_from: '192.0.2.5:40000', x_domain: '' });
		const data = (recipients: string[]) => {
			const message = policy.newMessage({
				sender: 'news@example.com',
				recipients,
				headers: from('news@example.com'),
				meta: policy.connectionMeta(connection)
			});
			const outcome = policy.call(
				'smtp_server_data',
				{ kind: 'message', value: message },
				{ kind: 'connection', value: connection }
			);
			return outcome.kind === 'rejected' ? outcome.rejection.text : outcome.kind;
		};
		expect(data(['gone@example.net'])).toBe('5.7.1 suppressed by the list of example.com: complaint');
		expect(data(['a@example.net', 'gone@example.net', 'b@example.net'])).toBe(
			'5.7.1 recipient 2 of 3 is suppressed by the list of example.com: complaint'
		);
		expect(data(['a@example.net', 'b@example.net'])).toBe('value');
	});

	it('HTTP refuses each recipient for itself', async () => {
		const policy = await openWith({ base, delta: [] });
		const send = (recipient: string) =>
			inject(policy, { peer: '127.0.0.1', sender: 'news@example.com', recipient, headers: from('news@example.com') });
		expect(send('gone@example.net')).toMatchObject({
			reason: '550 5.7.1 suppressed by the list of example.com: complaint'
		});
		expect(send('here@example.net').message?.queue).toBe('news.example.com@example.net');
	});
});

describe('the files', () => {
	const base: SuppressionFile = [['gone@example.net', '', 'complaint']];
	const broken: [what: string, files: SuppressionFiles][] = [
		['no directory', {}],
		['no base', { base: 'absent', delta: [['gone@example.net', '', 'manual']] }],
		['no delta', { base, delta: 'absent' }],
		['a broken base', { base: 'broken', delta: [['gone@example.net', '', 'manual']] }],
		['a broken delta', { base, delta: 'broken' }],
		['another format', { base, delta: 'foreign' }]
	];
	it.each(broken)('refuse nobody with %s, and that is counted and told once a minute', async (_what, files) => {
		const policy = await openWith(files);
		for (const recipient of ['gone@example.net', 'gone@example.net', 'b@example.net'])
			expect(rcpt(policy, recipient)).toBe('250 OK');
		const { logs, timed } = policy.observed();
		expect(logs).toEqual([
			expect.stringMatching(/^error The suppression lists can not be read, so that nobody is refused: /)
		]);
		expect(timed).toEqual({ [counter]: 3 });
		policy.clock.seconds += 61;
		rcpt(policy, 'gone@example.net');
		expect(policy.observed().logs).toHaveLength(2);
	});

	it('are read again after 30 seconds: what replaced them, or at last is there', async () => {
		const policy = await openWith({});
		const root = suppressionRootOf(policy);
		expect(rcpt(policy, 'gone@example.net')).toBe('250 OK');
		writeSuppression(root, { base, delta: [] });
		expect(rcpt(policy, 'gone@example.net')).toBe('250 OK');
		policy.clock.seconds += 30;
		expect(rcpt(policy, 'gone@example.net')).toBe(everywhere);
		writeSuppression(root, { delta: [['gone@example.net', '', '']] });
		policy.clock.seconds += 29;
		expect(rcpt(policy, 'gone@example.net')).toBe(everywhere);
		policy.clock.seconds += 1;
		expect(rcpt(policy, 'gone@example.net')).toBe('250 OK');
		expect(policy.observed().timed[counter]).toBe(2);
	});

	it('are opened again when the clock was set back', async () => {
		const policy = await openWith({ base, delta: [] });
		expect(rcpt(policy, 'gone@example.net', 'relay')).toBe(everywhere);
		writeSuppression(suppressionRootOf(policy), { base: [] });
		policy.clock.seconds -= 3600;
		expect(rcpt(policy, 'gone@example.net', 'relay')).toBe('250 OK');
	});

	it('are read as the panel writes them', async () => {
		const policy = await openWith({});
		const host = testHost();
		const directory = suppressionRootOf(policy);
		const roots = {
			policy: dirname(directory),
			directory,
			base: `${directory}/base.sqlite`,
			delta: `${directory}/delta.sqlite`
		};
		const place = async (name: 'base' | 'delta', rows: SuppressionRow[]) => {
			const pages = Readable.from([JSON.stringify(rows)]);
			await (await stageSuppressionFile(host, roots, { name, about: { id: name }, pages })).place();
		};
		await place('base', [
			['a@example.net', 'example.com', 'hard-bounce'],
			['b@example.net', '', 'complaint']
		]);
		await place('delta', [['a@example.net', 'example.com', '']]);
		expect(rcpt(policy, 'a@example.net')).toBe('250 OK');
		expect(rcpt(policy, 'b@example.net')).toBe(everywhere);
		expect(policy.observed()).toMatchObject({ logs: [], timed: {} });
	});

	it('are none of the business of a revision that does not name them', async () => {
		const policy = await policyWith({ rows: switchedOn, node: { suppression_root: undefined } });
		expect(rcpt(policy, 'gone@example.net')).toBe('250 OK');
		expect(policy.observed()).toMatchObject({ logs: [], timed: {} });
	});
});
