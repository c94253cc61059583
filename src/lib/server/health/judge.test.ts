import { describe, expect, it } from 'vitest';
import type { Finding } from './check.ts';
import { judgeBackup, judgeRehearsal } from './judge-backups.ts';
import { judgeBlocklists, listingOf, whyUnusable } from './judge-blocklists.ts';
import { blocklistZones } from './blocklist-zones.ts';
import { judgeDataFiles, judgeDkimFiles, judgePolicyFiles, judgeTlsFiles } from './judge-files.ts';
import type { Seen } from './judge-files.ts';
import {
	judgeApiAccess,
	judgeApiReach,
	judgeApply,
	judgeDovecot,
	judgeLog,
	judgeRunning,
	judgeSuppression
} from './judge-kumomta.ts';
import { judgeClock, judgeDisk, judgeFirewall, judgePorts, judgeUpdates, listeningIn } from './judge-machine.ts';
import type { Said } from './judge-machine.ts';
import { judgeMailCertificate, judgeRelay, judgeReverse } from './judge-mail.ts';
import { judgeExposure, judgeHttps, judgePasswords, judgeProxy } from './judge-panel.ts';
import { judgeVersions } from './judge-versions.ts';

/** Every judgement as a table: facts, and what is made of them. */
const now = Date.UTC(2026, 0, 5);
const day = 86_400_000;
const certificate = (days: number, distrust: string | null = null) => ({
	notAfterAt: now + days * day,
	names: ['mta.example.net'],
	distrust
});
const exposure = { host: '127.0.0.1', port: 9000, origin: 'https://mta.example.net', trustedProxies: ['127.0.0.1'] };
const account = { email: 'ops@example.net', passwordChangedAt: now - day, bcryptCost: 11 };
const said = (text: string): Said => ({ state: 'said', text });
const absent: Said = { state: 'absent' };
const closed: Said = { state: 'closed' };
const seen = (
	mode: number,
	{ uid = 0, kind = 'file', path = '/x' }: { uid?: number; kind?: 'file' | 'link'; path?: string } = {}
): Seen => ({
	path,
	state: { kind, mode, uid, gid: 0, bytes: 1, modifiedAt: 0 }
});
const kumod = { uid: 990, gid: 990 };
const gib = 1024 ** 3;
const place = (free: number, minFreePercent?: number, freeFilesShare = 1) => [
	{
		name: 'the spool',
		path: '/spool',
		space: { totalBytes: 100 * gib, freeBytes: free * gib, freeFilesShare },
		...(minFreePercent !== undefined && { minFreePercent })
	}
];
const system = { family: 'debian' as const, name: 'Debian 12', id: 'debian', version: '12' };
const versions = { kumomta: '2026.03.04-bb93ecb1', node: '24.21.0', system, dovecot: null };
const listener = { address: '0.0.0.0', port: 25, purpose: 'inbound' as const, from: '192.0.2.1' };
const trial = (result: 'refused' | 'accepted' | 'deferred') => [
	{ ...listener, trial: { result, at: 'RCPT' as const, reply: '550 no' } }
];
const shown = (days: number, distrust: string | null = null) => ({
	hostname: 'mta.example.net',
	seen: [{ address: '0.0.0.0', port: 587, certificate: certificate(days, distrust) }]
});
const reverse = (status: 'ok' | 'missing' | 'mismatch' | 'unknown' | null) => [
	{ address: '192.0.2.1', ehloDomain: 'out.example.net', reverse: status && { status, found: [], advice: 'Set it.' } }
];
const backup = { lastAt: now - day, protection: 'passphrase' as const, failedAt: null, rehearsedAt: now - day };
const log = { state: 'reading' as const, code: null, sinceAt: now - day, readAt: now - 1000 };
const updates = { apt: undefined, hasDnfTimer: false, family: 'debian' as const, needsReboot: false };
const ufw = 'Status: active\n';
const nftDrop = 'chain input {\n type filter hook input priority 0; policy drop;\n}';
const nftOpen = 'chain input {\n type filter hook input priority 0; policy accept;\n}';

type Row = [name: string, outcome: Finding['outcome'], finding: Finding];
const rows: Row[] = [
	['http to everybody', 'failed', judgeHttps({ origin: 'http://mta.example.net' }, now)],
	['http on loopback', 'ok', judgeHttps({ origin: 'http://127.0.0.1:9000' }, now)],
	['https that nobody answers', 'unknown', judgeHttps({ origin: 'https://mta.example.net' }, now)],
	['https', 'ok', judgeHttps({ origin: 'https://mta.example.net', certificate: certificate(60) }, now)],
	['https for 13 days', 'warning', judgeHttps({ origin: 'https://a.example', certificate: certificate(13) }, now)],
	['https that ended', 'failed', judgeHttps({ origin: 'https://a.example', certificate: certificate(-1) }, now)],
	[
		'https, self-signed',
		'warning',
		judgeHttps({ origin: 'https://a.example', certificate: certificate(60, 'DEPTH_ZERO_SELF_SIGNED_CERT') }, now)
	],
	['port on loopback', 'ok', judgeExposure(exposure)],
	['port on ::1', 'ok', judgeExposure({ ...exposure, host: '::1' })],
	['port on every address', 'failed', judgeExposure({ ...exposure, host: '0.0.0.0' })],
	['port on an address that begins like loopback', 'failed', judgeExposure({ ...exposure, host: '127.example.net' })],
	['proxy named', 'ok', judgeProxy(exposure)],
	['proxy not named', 'warning', judgeProxy({ ...exposure, trustedProxies: [] })],
	['no account', 'warning', judgePasswords([], now)],
	['fresh password', 'ok', judgePasswords([account], now)],
	['old password', 'warning', judgePasswords([{ ...account, passwordChangedAt: now - 366 * day }], now)],
	['weak bcrypt', 'failed', judgePasswords([{ ...account, bcryptCost: 9 }], now)],
	['a hash that is no bcrypt', 'failed', judgePasswords([{ ...account, bcryptCost: null }], now)],
	['ufw', 'ok', judgeFirewall({ firewalld: absent, ufw: said(ufw), nft: closed })],
	['ufw that is off', 'unknown', judgeFirewall({ firewalld: absent, ufw: said('Status: inactive'), nft: closed })],
	['firewalld', 'ok', judgeFirewall({ firewalld: said('running\n'), ufw: absent, nft: absent })],
	['firewalld that is off', 'warning', judgeFirewall({ firewalld: said('not running\n'), ufw: absent, nft: absent })],
	['nftables that drop', 'ok', judgeFirewall({ firewalld: absent, ufw: absent, nft: said(nftDrop) })],
	['nftables that accept', 'warning', judgeFirewall({ firewalld: absent, ufw: absent, nft: said(nftOpen) })],
	['no firewall program', 'unknown', judgeFirewall({ firewalld: absent, ufw: absent, nft: absent })],
	['expected ports', 'ok', judgePorts([{ address: '0.0.0.0', port: 25 }], new Set([25]))],
	['another port', 'ok', judgePorts([{ address: '0.0.0.0', port: 2024 }], new Set([25]))],
	['a database', 'warning', judgePorts([{ address: '0.0.0.0', port: 3306 }], new Set([25]))],
	['clock in step', 'ok', judgeClock(said('NTP=yes\nNTPSynchronized=yes\n'))],
	['clock alone', 'warning', judgeClock(said('NTP=no\nNTPSynchronized=no\n'))],
	['clock unheard', 'unknown', judgeClock(absent)],
	['room', 'ok', judgeDisk(place(40))],
	['little room', 'warning', judgeDisk(place(14))],
	['no room', 'failed', judgeDisk(place(4))],
	['less room than KumoMTA asks', 'failed', judgeDisk(place(19, 20))],
	['no files left', 'failed', judgeDisk(place(40, 10, 0.01))],
	['a disk that cannot be asked', 'unknown', judgeDisk([{ name: 'x', path: '/x', space: undefined }])],
	['updates by apt', 'ok', judgeUpdates({ ...updates, apt: 'APT::Periodic::Unattended-Upgrade "1";' })],
	['updates switched off', 'warning', judgeUpdates({ ...updates, apt: 'APT::Periodic::Unattended-Upgrade "0";' })],
	['updates by dnf', 'ok', judgeUpdates({ ...updates, family: 'redhat', hasDnfTimer: true })],
	['a restart waits', 'warning', judgeUpdates({ ...updates, hasDnfTimer: true, needsReboot: true })],
	['updates of another system', 'unknown', judgeUpdates({ ...updates, family: 'other' })],
	['versions', 'ok', judgeVersions(versions)],
	['an old KumoMTA', 'failed', judgeVersions({ ...versions, kumomta: '2025.12.02-67ee9e96' })],
	['a silent KumoMTA', 'warning', judgeVersions({ ...versions, kumomta: undefined })],
	['an old Node', 'failed', judgeVersions({ ...versions, node: '20.1.0' })],
	['Dovecot 2.4', 'warning', judgeVersions({ ...versions, dovecot: { isSupported: false, sentence: 'No.' } })],
	['another system', 'warning', judgeVersions({ ...versions, system: { ...system, id: 'arch' } })],
	['data closed', 'ok', judgeDataFiles(seen(0o700), [seen(0o600)])],
	['data directory open', 'failed', judgeDataFiles(seen(0o755), [seen(0o600)])],
	['database open to a group', 'failed', judgeDataFiles(seen(0o700), [seen(0o640)])],
	['data of somebody else', 'warning', judgeDataFiles(seen(0o700), [seen(0o600, { uid: 7 })])],
	['a link among the data', 'warning', judgeDataFiles(seen(0o700), [seen(0o700, { kind: 'link' })])],
	['no DKIM key', 'ok', judgeDkimFiles({ keys: [], kumod })],
	['DKIM keys', 'ok', judgeDkimFiles({ keys: [seen(0o600, { uid: 990 })], kumod })],
	['a DKIM key open to others', 'failed', judgeDkimFiles({ keys: [seen(0o644, { uid: 990 })], kumod })],
	['a DKIM key of root', 'failed', judgeDkimFiles({ keys: [seen(0o600)], kumod })],
	['a DKIM key that is a link', 'warning', judgeDkimFiles({ keys: [seen(0o777, { kind: 'link' })], kumod })],
	['no policy', 'ok', judgePolicyFiles({ directory: undefined, below: [], hasKumod: true })],
	['policy', 'ok', judgePolicyFiles({ directory: seen(0o750), below: [seen(0o640)], hasKumod: true })],
	[
		'policy behind a closed door',
		'ok',
		judgePolicyFiles({ directory: seen(0o750), below: [seen(0o644)], hasKumod: true })
	],
	[
		'policy open to the world',
		'failed',
		judgePolicyFiles({ directory: seen(0o755), below: [seen(0o644)], hasKumod: true })
	],
	[
		'policy that a group may change',
		'failed',
		judgePolicyFiles({ directory: seen(0o750), below: [seen(0o660)], hasKumod: true })
	],
	[
		'policy of another user',
		'failed',
		judgePolicyFiles({ directory: seen(0o750), below: [seen(0o640, { uid: 7 })], hasKumod: true })
	],
	['no certificate files', 'unknown', judgeTlsFiles([])],
	['certificate key', 'ok', judgeTlsFiles([seen(0o640)])],
	['certificate key open', 'failed', judgeTlsFiles([seen(0o644)])],
	['KumoMTA alive', 'ok', judgeRunning({ state: 'alive' }, true)],
	['KumoMTA not ready', 'failed', judgeRunning({ state: 'not-ready', detail: 'spool' }, true)],
	['KumoMTA away', 'failed', judgeRunning({ state: 'unreachable', detail: '' }, true)],
	['no KumoMTA', 'warning', judgeRunning({ state: 'unreachable', detail: '' }, false)],
	[
		'API closed',
		'ok',
		judgeApiReach({ host: '127.0.0.1', port: 8000, tried: [{ address: '192.0.2.1', reach: 'closed' }] })
	],
	[
		'API silent',
		'ok',
		judgeApiReach({ host: '127.0.0.1', port: 8000, tried: [{ address: '192.0.2.1', reach: 'silent' }] })
	],
	[
		'API open',
		'failed',
		judgeApiReach({ host: '127.0.0.1', port: 8000, tried: [{ address: '192.0.2.1', reach: 'open' }] })
	],
	['API elsewhere', 'warning', judgeApiReach({ host: 'kumo.example', port: 8000, tried: [] })],
	['API untried', 'unknown', judgeApiReach({ host: '127.0.0.1', port: 8000, tried: [] })],
	['API trusts loopback', 'warning', judgeApiAccess('trusted')],
	['API asks', 'ok', judgeApiAccess('credential')],
	['never applied', 'warning', judgeApply(undefined, now)],
	...(['applied', 'unchanged'] as const).map((outcome): Row => [
		outcome,
		'ok',
		judgeApply({ outcome, startedAt: now, revision: 1 }, now)
	]),
	...(['refused', 'failed', 'reverted', 'interrupted'] as const).map((outcome): Row => [
		`apply ${outcome}`,
		'warning',
		judgeApply({ outcome, startedAt: now, revision: null }, now)
	]),
	['apply under way', 'ok', judgeApply({ outcome: 'running', startedAt: now - 1000, revision: 1 }, now)],
	['apply without end', 'failed', judgeApply({ outcome: 'running', startedAt: now - 2 * 3_600_000, revision: 1 }, now)],
	['log read', 'ok', judgeLog(log, true, now)],
	['log unreadable', 'failed', judgeLog({ ...log, state: 'unreadable', code: 'EACCES' }, true, now)],
	['no log', 'warning', judgeLog({ ...log, state: 'absent' }, true, now)],
	['no log, no KumoMTA', 'unknown', judgeLog({ ...log, state: 'absent' }, false, now)],
	['log not yet read', 'unknown', judgeLog({ ...log, state: 'never' }, true, now)],
	['log long behind', 'warning', judgeLog({ ...log, state: 'behind' }, true, now)],
	['log reader stopped', 'warning', judgeLog({ ...log, readAt: now - 20 * 60_000 }, true, now)],
	['suppression in effect', 'ok', judgeSuppression({ state: 'current', waiting: 0, failure: null })],
	[
		'suppression failed',
		'failed',
		judgeSuppression({ state: 'failed', waiting: 1, failure: { message: 'Disk full.' } })
	],
	['suppression on its way', 'ok', judgeSuppression({ state: 'waiting', waiting: 3, failure: null })],
	['no mailboxes', 'ok', judgeDovecot({ accounts: 0, isInstalled: false, failure: undefined })],
	['mailboxes without Dovecot', 'warning', judgeDovecot({ accounts: 2, isInstalled: false, failure: undefined })],
	['Dovecot silent', 'failed', judgeDovecot({ accounts: 2, isInstalled: true, failure: 'Nothing answers.' })],
	['Dovecot', 'ok', judgeDovecot({ accounts: 2, isInstalled: true, failure: undefined })],
	['relay refused', 'ok', judgeRelay(trial('refused'))],
	['open relay', 'failed', judgeRelay(trial('accepted'))],
	['one open among refusing', 'failed', judgeRelay([...trial('refused'), ...trial('accepted')])],
	['relay put off', 'unknown', judgeRelay(trial('deferred'))],
	[
		'one silent among refusing',
		'unknown',
		judgeRelay([...trial('refused'), { ...listener, trial: { result: 'failed', detail: 'x' } }])
	],
	['only loopback', 'unknown', judgeRelay([{ ...listener, skipped: 'loopback' }])],
	['certificate of submission', 'ok', judgeMailCertificate(shown(60), now)],
	['certificate of submission ends', 'warning', judgeMailCertificate(shown(13), now)],
	['certificate of submission ended', 'failed', judgeMailCertificate(shown(-2), now)],
	[
		'certificate of submission self-signed',
		'warning',
		judgeMailCertificate(shown(60, 'SELF_SIGNED_CERT_IN_CHAIN'), now)
	],
	['certificate for another name', 'warning', judgeMailCertificate({ ...shown(60), hostname: 'other.example' }, now)],
	['no certificate seen', 'unknown', judgeMailCertificate({ hostname: null, seen: [] }, now)],
	['no source', 'unknown', judgeReverse([])],
	['reverse name', 'ok', judgeReverse(reverse('ok'))],
	['no reverse name', 'failed', judgeReverse(reverse('missing'))],
	['another reverse name', 'failed', judgeReverse(reverse('mismatch'))],
	['reverse name unknown', 'unknown', judgeReverse(reverse('unknown'))],
	['public address unknown', 'warning', judgeReverse(reverse(null))],
	['backup', 'ok', judgeBackup(backup, 0, now)],
	['no backup, new panel', 'warning', judgeBackup({ ...backup, lastAt: null }, now - day, now)],
	['no backup, old panel', 'failed', judgeBackup({ ...backup, lastAt: null }, now - 9 * day, now)],
	['old backup', 'failed', judgeBackup({ ...backup, lastAt: now - 4 * day }, 0, now)],
	['failed since', 'failed', judgeBackup({ ...backup, failedAt: now }, 0, now)],
	['failed before', 'ok', judgeBackup({ ...backup, failedAt: now - 2 * day }, 0, now)],
	['unencrypted', 'warning', judgeBackup({ ...backup, protection: 'none' }, 0, now)],
	['rehearsed', 'ok', judgeRehearsal(backup, now)],
	['rehearsed long ago', 'warning', judgeRehearsal({ ...backup, rehearsedAt: now - 91 * day }, now)],
	['never rehearsed', 'warning', judgeRehearsal({ ...backup, rehearsedAt: null }, now)]
];

describe('what is made of what was seen', () => {
	it.each(rows)('%s: %s', (_, outcome, finding) => {
		expect(finding.outcome).toBe(outcome);
		expect(finding.found).toMatch(/[.…)]$/);
		// Who is told that something is wrong is told what to do.
		if (outcome === 'failed' || outcome === 'warning') expect(finding.mend?.text).toMatch(/.{8,}\.$/);
	});
});

it('reads who listens, without loopback and without what is no listener', () => {
	const table = [
		'  sl  local_address rem_address   st',
		'   0: 00000000:0CEA 00000000:0000 0A 0',
		'   1: 0100007F:1F40 00000000:0000 0A 0',
		'   2: 020200C0:0019 00000000:0000 0A 0',
		'   3: 00000000:0050 01020304:0050 01 0',
		'   4: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0',
		'   5: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0'
	].join('\n');
	expect(listeningIn(table)).toEqual([
		{ address: '192.0.2.2', port: 25 },
		{ address: '::', port: 443 },
		{ address: '0.0.0.0', port: 3306 }
	]);
});

describe('blocklists (RFC 5782)', () => {
	const found = (...values: string[]) => ({ state: 'found' as const, values });
	it.each([
		['a listing', found('127.0.0.2'), 'listed'],
		['none', { state: 'none', reason: 'no-name' } as const, 'clear'],
		['a large public resolver', found('127.255.255.254'), 'refused'],
		['too many questions', found('127.255.255.255'), 'refused'],
		['an error beside a listing', found('127.0.0.2', '127.255.255.252'), 'refused'],
		['a resolver that makes answers up', found('198.51.100.7'), 'refused'],
		['no answer', { state: 'failed', reason: 'timeout' } as const, 'refused']
	])('%s', (_, answer, state) => {
		expect(listingOf(answer).state).toBe(state);
	});

	const listed = { state: 'listed' as const, codes: ['127.0.0.2'] };
	const clear = { state: 'clear' as const };
	it.each([
		['usable', listed, clear, false],
		['blocked: its own test entry is not there', clear, clear, true],
		['given up: everything is listed', listed, listed, true],
		['refused', { state: 'refused' as const, why: 'no' }, clear, true]
	])('a list is %s', (_, present, absentEntry, isUnusable) => {
		expect(whyUnusable(present, absentEntry) !== undefined).toBe(isUnusable);
	});

	const zone = blocklistZones[0]!;
	const one = { addresses: 1, left: 0 };
	const asked = (listing: ReturnType<typeof listingOf>) => [{ zone, answers: [{ address: '192.0.2.1', listing }] }];
	it.each([
		['listed', 'failed', judgeBlocklists(asked(listed), one)],
		['clear', 'ok', judgeBlocklists(asked(clear), one)],
		[
			'refused, never taken for clear or listed',
			'unknown',
			judgeBlocklists(asked({ state: 'refused', why: 'x' }), one)
		],
		['unusable, never taken for clear', 'unknown', judgeBlocklists([{ zone, unusable: 'x', answers: [] }], one)],
		['nothing to ask', 'unknown', judgeBlocklists([], { addresses: 0, left: 0 })]
	])('%s', (_, outcome, finding) => {
		expect(finding.outcome).toBe(outcome);
	});
});
