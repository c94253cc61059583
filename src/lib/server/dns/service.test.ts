import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp } from '../../../../tests/support/app.ts';
import type { TestApp } from '../../../../tests/support/app.ts';
import { startDnsDouble } from '../../../../tests/support/dns-double.ts';
import type { DnsDouble } from '../../../../tests/support/dns-double.ts';
import { refusalOf } from '../../../../tests/support/refusal.ts';
import { newId } from '../core/id.ts';
import { dkimKeys } from '../dkim/tables.ts';
import { domains } from '../domains/tables.ts';
import { pools, poolSources } from '../pools/tables.ts';
import { senders } from '../senders/tables.ts';
import { update } from '../settings/service.ts';
import { sources } from '../sources/tables.ts';
import { checkDomain, checkedDnsRecords, dnsRecords, domainRecords } from './service.ts';

const at = Date.UTC(2026, 0, 5, 12);
let app: TestApp;
let double: DnsDouble;
const ids = { domain: newId(), bare: newId(), poolA: newId(), poolB: newId(), a: newId(), b: newId() };

beforeAll(async () => {
	app = await openTestApp();
	double = await startDnsDouble(
		{
			'news.example': { TXT: ['v=spf1 include:crm.example -all'] },
			'crm.example': { TXT: ['v=spf1 ip4:192.0.2.0/24 -all'] },
			'bounce.news.example': { MX: ['10 mta1.example.net'], TXT: ['v=spf1 ip4:203.0.113.1 ~all'] },
			'mta1.example.net': { A: ['203.0.113.10'] },
			'right._domainkey.news.example': { TXT: ['v=DKIM1; k=ed25519; p=QUJD'] },
			'wrong._domainkey.news.example': { TXT: ['v=DKIM1; k=ed25519; p='] },
			'gone._domainkey.news.example': {},
			'broken._domainkey.news.example': { rcode: 'SERVFAIL' },
			'_dmarc.news.example': { TXT: ['v=DMARC1; p=none'] },
			'out1.example.net': { A: ['203.0.113.1'] },
			'1.113.0.203.in-addr.arpa': { PTR: ['out1.example.net'] }
		},
		{ isStrict: true }
	);
	await update(app, { hostname: 'mta1.example.net', resolvers: [double.address] });
	const times = { createdAt: at };
	for (const [id, name] of [
		[ids.domain, 'news.example'],
		[ids.bare, 'bare.example']
	] as const) {
		await app.db.insert(domains).values({
			...times,
			id,
			name,
			bounceHost: `bounce.${name}`,
			acceptAnyReturnPath: true,
			dmarc: { policy: 'none' }
		});
	}
	await app.db.insert(sources).values([
		{ ...times, id: ids.a, name: 'a', address: '203.0.113.1', ehloDomain: 'out1.example.net' },
		{ ...times, id: ids.b, name: 'b', address: '203.0.113.2', ehloDomain: 'out2.example.net' }
	]);
	await app.db.insert(pools).values([
		{ ...times, id: ids.poolA, name: 'a' },
		{ ...times, id: ids.poolB, name: 'b' }
	]);
	await app.db.insert(poolSources).values([
		{ poolId: ids.poolA, sourceId: ids.a, weight: 0 },
		{ poolId: ids.poolB, sourceId: ids.b, weight: 1 }
	]);
	await app.db.insert(senders).values({
		...times,
		domainId: ids.domain,
		localPart: 'n',
		address: 'n@news.example',
		tenant: 'n.news.example',
		poolId: ids.poolA,
		fromPolicy: 'address',
		status: 'enabled',
		passwordGenerated: false
	});
	for (const selector of ['right', 'wrong', 'gone', 'broken', 'old']) {
		await app.db.insert(dkimKeys).values({
			...times,
			domainId: ids.domain,
			selector,
			algorithm: 'ed25519',
			state: selector === 'old' ? 'retired' : 'pending',
			publicKey: 'QUJD',
			sealedPrivateKey: 'v2:x',
			privateKeyHash: '00',
			dnsStatus: 'unknown'
		});
	}
});
afterAll(() => double.close());

describe('domainRecords', () => {
	it('asks nobody, and answers what the contract says', async () => {
		const answer = await domainRecords(app.db, ids.domain);
		expect(dnsRecords.parse(answer)).toEqual(answer);
		expect(double.queries).toEqual([]);
		expect(answer.records.map(({ zone }) => zone)).toContain('bounce.news.example. 3600 IN MX 10 mta1.example.net.');
		expect(answer.zoneFile).toContain('\nbounce.news.example. 3600 IN MX 10 mta1.example.net.\n');
	});

	it('names the sources of the domain and not those of others', async () => {
		const text = JSON.stringify((await domainRecords(app.db, ids.domain)).records);
		expect(text).toContain('203.0.113.1');
		expect(text).not.toContain('203.0.113.2');
	});

	it('names all sources while the domain has no sender, since DNS comes first', async () => {
		const { records } = await domainRecords(app.db, ids.bare);
		expect(records.find(({ id }) => id === 'spf')?.value).toBe('v=spf1 ip4:203.0.113.1 ip4:203.0.113.2 ~all');
	});

	it('adds the default pool', async () => {
		await update(app, { defaultPoolId: ids.poolB });
		const { records } = await domainRecords(app.db, ids.domain);
		await update(app, { defaultPoolId: null });
		expect(records.find(({ id }) => id === 'spf')?.value).toContain('203.0.113.2');
	});

	it('refuses an unknown domain', async () => {
		expect(await refusalOf(domainRecords(app.db, newId()))).toMatchObject({
			code: 'NOT_FOUND',
			reason: 'no-such-domain'
		});
	});
});

describe('checkDomain', () => {
	it('asks the resolvers of Settings, merges SPF and stores what was seen of each key', async () => {
		const answer = await checkDomain(app, ids.domain);
		expect(double.unexpected).toEqual([]);
		expect(checkedDnsRecords.parse(answer)).toEqual(answer);
		expect(answer.checkedAt).toBe(at);
		expect(answer.records.find(({ id }) => id === 'spf')).toMatchObject({
			status: 'mismatch',
			value: 'v=spf1 ip4:203.0.113.1 include:crm.example -all',
			found: ['v=spf1 include:crm.example -all']
		});
		expect(answer.zoneFile).toContain('"v=spf1 ip4:203.0.113.1 include:crm.example -all"');
		const keys = await app.db.select().from(dkimKeys);
		expect(
			Object.fromEntries(keys.map(({ selector, dnsStatus, dnsCheckedAt }) => [selector, [dnsStatus, dnsCheckedAt]]))
		).toEqual({
			right: ['ok', at],
			wrong: ['mismatch', at],
			gone: ['missing', at],
			broken: ['unknown', at],
			old: ['unknown', null]
		});
	});

	it('leaves the version of a key alone: nobody edited it', async () => {
		await checkDomain(app, ids.domain);
		expect(new Set((await app.db.select().from(dkimKeys)).map(({ version }) => version))).toEqual(new Set([1]));
	});

	it('answers in words, and not with an error, when no resolver does', async () => {
		const failed = async () => ({ state: 'failed', reason: 'timeout' }) as const;
		const answer = await checkDomain(app, ids.domain, {
			txt: failed,
			mx: failed,
			a: failed,
			aaaa: failed,
			ptr: failed
		});
		expect(new Set(answer.records.map(({ status }) => status))).toEqual(new Set(['unknown']));
	});
});
