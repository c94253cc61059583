import type { Manifest } from './revision.ts';
import { limitOf } from './rows.ts';
import type { DomainValue, SenderValue } from './rows.ts';

const number = new Intl.NumberFormat('en');
const algorithms: Record<string, string> = { 'rsa-2048': 'RSA 2048', 'rsa-4096': 'RSA 4096', ed25519: 'Ed25519' };
const units: [name: string, seconds: number][] = [
	['day', 86_400],
	['hour', 3600],
	['minute', 60],
	['second', 1]
];

const inSeconds = (seconds: number): string => {
	const [name, size] = units.find(([, each]) => seconds % each === 0) ?? ['second', 1];
	const count = seconds / size;
	return `${number.format(count)} ${name}${count === 1 ? '' : 's'}`;
};

function rateInWords(rate: string | undefined): string {
	if (rate === undefined) return 'unlimited';
	const { count, unit } = limitOf(rate);
	return `at most ${number.format(count)} ${unit === 'hour' ? 'an' : 'a'} ${unit}`;
}

const or = (seconds: number | undefined) => (seconds === undefined ? 'the default' : inSeconds(seconds));
const fromInWords = (from: SenderValue['from']) =>
	from === 'domain' ? 'may use every address at its domain' : 'may use its own address only';
const keyInWords = ({ selector, algorithm }: DomainValue['keys'][number]) =>
	`${selector} (${algorithms[algorithm] ?? algorithm})`;

/** What is new about a sender; never a part of its verifier. */
export function senderAdded(address: string, value: SenderValue): string {
	const parts = [`is new, in pool ${value.pool}`];
	if (value.rate !== undefined) parts.push(rateInWords(value.rate));
	if (value.from === 'domain') parts.push(fromInWords(value.from));
	if (value.status === 'paused') parts.push('paused');
	if (value.hash === undefined) parts.push('without a password');
	return `Sender ${address} ${parts.join(', ')}`;
}

export function senderChanged(address: string, was: SenderValue, is: SenderValue): string {
	const parts: string[] = [];
	if (was.id !== is.id) parts.push('was removed and made anew');
	if (was.pool !== is.pool) parts.push(`moves from pool ${was.pool} to ${is.pool}`);
	if (was.rate !== is.rate) parts.push(`${rateInWords(is.rate)} (was ${rateInWords(was.rate)})`);
	if (was.retry !== is.retry) parts.push(`tries again after ${or(is.retry)} (was ${or(was.retry)})`);
	if (was.maxAge !== is.maxAge) parts.push(`gives up after ${or(is.maxAge)} (was ${or(was.maxAge)})`);
	if (was.from !== is.from)
		parts.push(`${fromInWords(is.from)} (${was.from === 'domain' ? 'was its domain' : 'was its own'})`);
	if (was.status !== is.status) parts.push(is.status === 'paused' ? 'is paused' : 'is enabled again');
	if (was.tenant !== is.tenant) parts.push(`queues as ${is.tenant} (was ${was.tenant})`);
	if (was.salt !== is.salt || was.hash !== is.hash || was.iterations !== is.iterations)
		parts.push(`has its password ${is.hash === undefined ? 'removed' : was.hash === undefined ? 'set' : 'changed'}`);
	return `Sender ${address} ${parts.join(', ') || 'changes'}`;
}

export function domainAdded({ name, bounceHost, keys, reason }: DomainValue): string {
	if (reason !== undefined) return `Domain ${name} is new but not ready: ${reason}`;
	return `Domain ${name} is new, bounce host ${bounceHost}, signed by ${keys.map(keyInWords).join(' and ')}`;
}

export function domainChanged(was: DomainValue, is: DomainValue): string {
	const parts: string[] = [];
	if (was.id !== is.id) parts.push('was removed and made anew');
	if (was.ready !== is.ready) parts.push(is.ready ? 'is ready' : `is not ready any more: ${is.reason ?? ''}`);
	if (was.bounceHost !== is.bounceHost) parts.push(`bounce host ${is.bounceHost} (was ${was.bounceHost})`);
	if (was.anyReturnPath !== is.anyReturnPath)
		parts.push(is.anyReturnPath ? 'accepts any return path' : 'accepts bounces of its bounce accounts only');
	if (was.complaint !== is.complaint)
		parts.push(`complaints to ${is.complaint ?? 'nobody'} (was ${was.complaint ?? 'nobody'})`);
	parts.push(...keyChanges(was, is));
	if (was.domainSender !== is.domainSender)
		parts.push(`other addresses from relay hosts count to ${is.domainSender ?? 'nobody'}`);
	return `Domain ${is.name}: ${parts.join('; ') || (was.reason === is.reason ? 'changes' : `not ready: ${is.reason ?? ''}`)}`;
}

function keyChanges(was: DomainValue, is: DomainValue): string[] {
	const known = new Set(was.keys.map(({ selector }) => selector));
	const left = new Set(is.keys.map(({ selector }) => selector));
	const staying = is.keys.filter(({ selector }) => known.has(selector)).map(({ selector }) => selector);
	const beside = staying.length > 0 ? ` beside ${staying.join(' and ')}` : '';
	return [
		...is.keys
			.filter(({ selector }) => !known.has(selector))
			.map((key) => `DKIM key ${keyInWords(key)} signs${beside}`),
		...was.keys
			.filter(({ selector }) => !left.has(selector))
			.map((key) => `DKIM key ${keyInWords(key)} no longer signs`)
	];
}

export function poolInWords({ entries }: Manifest['pools'][number], sources: Manifest['sources']): string {
	const names = new Map(sources.map(({ id, name }) => [id, name]));
	if (entries.length === 0) return 'no source';
	return entries.map(({ sourceId, weight }) => `${names.get(sourceId) ?? 'unknown'} (weight ${weight})`).join(', ');
}

type Settings = Manifest['settings'];

/** The settings that are one value, with what they are called and how a value reads. */
export const settingWords: { [Name in keyof Settings]?: [called: string, print: (value: Settings[Name]) => string] } = {
	hostname: ['The host name', (value) => value ?? 'not set'],
	tlsName: ['The TLS certificate', (value) => value ?? 'self-signed'],
	defaultPool: ['The default pool', (value) => value ?? 'none'],
	campaignHeader: ['The campaign header', (value) => value ?? 'none'],
	httpApi: [
		'Access to KumoMTA’s HTTP API',
		(value) => (value === 'trusted' ? 'every process of this server' : 'by credential')
	],
	logs: [
		'The log',
		({ directory, maxSegmentSeconds }) => `${directory}, a segment every ${inSeconds(maxSegmentSeconds)}`
	],
	spool: ['The spool', ({ directory, kind, minFreePercent }) => `${directory} (${kind}, ${minFreePercent} % kept free)`]
};
