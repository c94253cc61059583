import { bytesText } from '../../shared/bytes.ts';
import type { Manifest } from './revision.ts';
import type { DomainValue, MailboxValue, SenderValue } from './rows.ts';

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

/** One field of something that was changed, as a person reads it; never a verifier. */
export interface FieldChange {
	name: string;
	from: string;
	to: string;
}

export interface Wording {
	text: string;
	fields?: FieldChange[];
}

function rateInWords(rate: string | undefined): string {
	if (rate === undefined) return 'unlimited';
	const [count = '', unit = ''] = rate.split('/');
	return `${number.format(Number(count))}/${unit}`;
}

const or = (seconds: number | undefined) => (seconds === undefined ? 'the default' : inSeconds(seconds));
const fromInWords = (from: SenderValue['from']) =>
	from === 'domain' ? 'every address at its domain' : 'its own address';
const keyInWords = ({ selector, algorithm }: DomainValue['keys'][number]) =>
	`${selector} (${algorithms[algorithm] ?? algorithm})`;
const keysInWords = ({ keys }: DomainValue) => keys.map(keyInWords).join(', ') || 'none';
const complaintsInWords = ({ complaint }: DomainValue) => complaint ?? 'nobody';
const returnsInWords = ({ anyReturnPath }: DomainValue) => (anyReturnPath ? 'any address' : 'bounce accounts only');
const onOff = (isOn: true | undefined) => (isOn ? 'on' : 'off');
const stateInWords = ({ ready, reason }: DomainValue) => (ready ? 'ready' : `not ready: ${reason ?? ''}`);
const passwordOf = ({ salt, hash, iterations }: SenderValue) => JSON.stringify([salt, hash, iterations]);

/** The fields whose words differ, in the order given. */
function fieldsOf(fields: [name: string, from: string, to: string][]): FieldChange[] {
	return fields.filter(([, from, to]) => from !== to).map(([name, from, to]) => ({ name, from, to }));
}

function changed(who: string, isAnew: boolean, fields: FieldChange[]): Wording {
	const parts = [
		...(isAnew ? ['removed and made anew'] : []),
		...fields.map(({ name, from, to }) => (name === 'password' ? `password ${to}` : `${name} ${from} → ${to}`))
	];
	return { text: `${who}: ${parts.join('; ') || 'changes'}`, fields };
}

/** One line for a sender; never a part of its verifier. */
export function senderInWords(address: string, was: SenderValue | undefined, is: SenderValue | undefined): Wording {
	const who = `Sender ${address}`;
	if (is === undefined) return { text: `${who} is removed` };
	if (was === undefined) return { text: `${who} ${newSender(is)}` };
	const password = passwordInWords(passwordOf(was) === passwordOf(is), was, is);
	const fields = fieldsOf([
		['pool', was.pool, is.pool],
		['limit', rateInWords(was.rate), rateInWords(is.rate)],
		['tries again after', or(was.retry), or(is.retry)],
		['gives up after', or(was.maxAge), or(is.maxAge)],
		['may send as', fromInWords(was.from), fromInWords(is.from)],
		['state', was.status, is.status],
		['queues as', was.tenant, is.tenant],
		['password', password === '' ? '' : was.hash === undefined ? 'none' : 'set', password]
	]);
	return changed(who, was.id !== is.id, fields);
}

type Hashed = Pick<MailboxValue, 'hash'>;

/** What became of a password; empty when it is the same. */
function passwordInWords(isSame: boolean, was: Hashed, is: Hashed): string {
	if (isSame) return '';
	if (is.hash === undefined) return 'removed';
	return was.hash === undefined ? 'set' : 'changed';
}

/** One line for a bounce account; never a part of its password's hash. */
export function mailboxInWords(address: string, was: MailboxValue | undefined, is: MailboxValue | undefined): Wording {
	const who = `Bounce account ${address}`;
	if (is === undefined) return { text: `${who} is removed or paused` };
	if (was === undefined) return { text: `${who} is new${is.hash === undefined ? ', without a password' : ''}` };
	const password = passwordInWords(was.hash === is.hash, was, is);
	const fields = fieldsOf([
		['quota', quotaInWords(was), quotaInWords(is)],
		['password', password === '' ? '' : was.hash === undefined ? 'none' : 'set', password]
	]);
	return changed(who, was.id !== is.id, fields);
}

/** Nobody opens the mailbox of an account without a password, so a revision says no quota for it. */
const quotaInWords = ({ quota }: MailboxValue) => (quota === undefined ? 'none' : bytesText(quota));

function newSender(is: SenderValue): string {
	const parts = [`is new, in pool ${is.pool}`];
	if (is.rate !== undefined) parts.push(`limit ${rateInWords(is.rate)}`);
	if (is.from === 'domain') parts.push(`may send as ${fromInWords(is.from)}`);
	if (is.status === 'paused') parts.push('paused');
	if (is.hash === undefined) parts.push('without a password');
	return parts.join(', ');
}

/** One line for a domain. */
export function domainInWords(name: string, was: DomainValue | undefined, is: DomainValue | undefined): Wording {
	const who = `Domain ${name}`;
	if (is === undefined) return { text: `${who} is removed` };
	if (was === undefined)
		return {
			text:
				is.reason === undefined
					? `${who} is new, bounce host ${is.bounceHost}, signed by ${is.keys.map(keyInWords).join(' and ')}`
					: `${who} is new but not ready: ${is.reason}`
		};
	const fields = fieldsOf([
		['state', stateInWords(was), stateInWords(is)],
		['bounce host', was.bounceHost, is.bounceHost],
		['accepts bounces at', returnsInWords(was), returnsInWords(is)],
		['reports of failures', onOff(was.reports), onOff(is.reports)],
		['suppression lists', onOff(was.suppression), onOff(is.suppression)],
		['complaints to', complaintsInWords(was), complaintsInWords(is)],
		['DKIM keys', keysInWords(was), keysInWords(is)],
		['other addresses from relay hosts count to', was.domainSender ?? 'nobody', is.domainSender ?? 'nobody']
	]);
	return changed(who, was.id !== is.id, fields);
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
