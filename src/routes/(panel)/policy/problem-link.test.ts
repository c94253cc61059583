import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { problemLink, problemPlace } from './problem-link';
import type { Problem } from './problem-link';

const panel = join(import.meta.dirname, '..');
const policy = join(panel, '../../lib/server/policy');
const read = (path: string) => readFileSync(path, 'utf8');

/** Where checks make problems; every code that stands in them needs a row below. */
const checks = ['check.ts', 'check-node.ts', 'check-relay.ts', 'judge.ts', 'parse.ts'];

/** Each code with every scope and field that it is made with. */
const made: [code: string, scope: Problem['scope'], fields: string[]][] = [
	['duplicate-source', 'source', ['address']],
	['address-not-here', 'source', ['address']],
	['unknown-source', 'pool', ['sources']],
	['empty-pool', 'pool', ['sources']],
	['duplicate-pool', 'pool', ['name']],
	['pool-name-returned', 'pool', ['name']],
	['no-hostname', 'node', ['hostname']],
	['no-default-pool', 'node', ['defaultPoolId']],
	['default-pool-unset', 'node', ['defaultPoolId']],
	['no-listeners', 'node', ['listeners']],
	['listener-collides', 'node', ['listeners.0.port', 'listeners.12.port']],
	['no-implicit-tls', 'node', ['listeners.1.port']],
	['relay-without-hosts', 'node', ['relayHosts']],
	['hosts-without-relay', 'node', ['listeners']],
	['spool-in-logs', 'node', ['spool.directory']],
	['tls-self-signed', 'node', ['tls.name']],
	['tls-unreadable', 'node', ['tls.name']],
	['tls-key-mismatch', 'node', ['tls.name']],
	['tls-expired', 'node', ['tls.name']],
	['tls-expires', 'node', ['tls.name']],
	['tls-name-mismatch', 'node', ['tls.name']],
	['relay-hosts-too-many', 'node', ['relayHosts']],
	['relay-host-too-wide', 'node', ['relayHosts.0', 'relayHosts.7']],
	['no-active-key', 'domain', ['']],
	['bounce-host-is-domain', 'domain', ['bounceHost']],
	['bounce-host-not-aligned', 'domain', ['bounceHost']],
	['retry-after-expiry', 'sender', ['retryIntervalSeconds']],
	['no-domain', 'sender', ['']],
	['foreign-domain', 'sender', ['']],
	['no-pool', 'sender', ['poolId']],
	['duplicate', 'sender', ['']],
	['two-domain-senders', 'sender', ['fromPolicy']],
	['foreign-bounce-host', 'bounce-account', ['']],
	['unreadable', 'node', ['hostname', 'listeners.0.address', 'relayHosts.0', 'relayHostsOverride.0', 'tlsName']],
	['unreadable', 'node', ['defaultPool', 'campaignHeader', 'httpApi', 'httpApiVerifier.salt', 'logs.directory']],
	['unreadable', 'node', ['logs.maxSegmentSeconds', 'spool.directory', 'spool.kind', 'spool.minFreePercent']],
	['unreadable', 'node', ['monitorGlobs.0']],
	['unreadable', 'source', ['name', 'kumoName', 'address', 'ehloDomain']],
	['unreadable', 'pool', ['name', 'entries.0.sourceId', 'entries.0.weight', '']],
	['unreadable', 'domain', ['name', 'bounceHost', 'acceptAnyReturnPath', 'complaintAddress', 'reportFailures']],
	['unreadable', 'domain', ['suppression', 'selector', 'algorithm', 'privateKeyHash']],
	['unreadable', 'sender', ['address', 'tenant', 'poolId', 'fromPolicy', 'limit.count', 'retryIntervalSeconds']],
	['unreadable', 'sender', ['maxAgeSeconds', 'verifier.hash', 'status', 'domainId']],
	['unreadable', 'bounce-account', ['address']]
];

/** The sources of the page that a link opens, with the parts that it is made of. */
const pages: Record<Problem['scope'], string[]> = {
	node: ['settings'],
	source: ['sources'],
	pool: ['pools'],
	domain: ['domains/[id]', 'domains'],
	sender: ['senders/[id]', 'senders'],
	'bounce-account': ['bounces']
};
const sourcesOf = (scope: Problem['scope']) =>
	pages[scope]
		.flatMap((directory) =>
			readdirSync(join(panel, directory))
				.filter((name) => name.endsWith('.svelte'))
				.map((name) => read(join(panel, directory, name)))
		)
		.join('\n');

const problem = (given: Partial<Problem>): Problem => ({
	severity: 'error',
	scope: 'node',
	code: 'any',
	message: '',
	blocks: true,
	...given
});

/** As `reach-field.ts` looks: the field of that name, a list that begins with it, or what has it as its id. */
function stands(source: string, field: string): boolean {
	const name = field.replaceAll(/\.\d+(?=\.|$)/g, '.{index}');
	const around = name.replace(/\.\{index\}$/, '');
	return [name, around].some((each) =>
		[`name="${each}"`, `id="${each}"`, `name="${each}.`].some((attribute) => source.includes(attribute))
	);
}

describe('every problem leads to the field that causes it', () => {
	it('no code of a check is missing here', () => {
		const codes = new Set<string>();
		for (const name of checks) {
			for (const [, code = ''] of read(join(policy, name)).matchAll(/['"]([a-z]+(?:-[a-z]+)+)['"]/g)) codes.add(code);
			for (const [, code = ''] of read(join(policy, name)).matchAll(/code: '([a-z-]+)'/g)) codes.add(code);
		}
		// Words with a dash that are no codes: scopes, algorithms, endings.
		for (const word of ['bounce-account', 'rsa-2048', 'rsa-4096']) codes.delete(word);
		const known = new Set(made.map(([code]) => code));
		expect([...codes].filter((code) => !known.has(code))).toEqual([]);
		// One word, so found by its own place: the second of two that share a name.
		expect(read(join(policy, 'judge.ts'))).toContain("'duplicate'");
		for (const code of known) expect(checks.some((name) => read(join(policy, name)).includes(`'${code}'`))).toBe(true);
	});

	const cases = made.flatMap(([code, scope, fields]) => fields.map((field) => [code, scope, field] as const));
	it.each(cases)('%s of %s at “%s”', (code, scope, field) => {
		const one = problem({
			code,
			scope,
			...(scope !== 'node' && { id: 'one', subject: 'the one' }),
			...(field && { field })
		});
		const place = problemPlace(one);
		expect(place.page).not.toBe('');
		if (scope === 'bounce-account') return expect(place.page).toBe('/bounces?search=the%20one');
		expect(place.field).not.toBe('');
		expect(stands(sourcesOf(scope), place.field), `${place.page} has no ${place.field}`).toBe(true);
		expect(problemLink(one)).toBe(`${place.page}#field=${place.field}`);
	});

	it('names the object in the address, whatever it is called', () => {
		const subject = 'a&b="#</';
		expect(problemLink(problem({ scope: 'source', id: 'one', subject, field: 'address' }))).toBe(
			'/sources?search=a%26b%3D%22%23%3C%2F&edit=one#field=address'
		);
		expect(problemLink(problem({ scope: 'domain', field: 'bounceHost' }))).toBe('/domains');
	});
});
