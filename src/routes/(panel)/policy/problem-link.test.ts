import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { problemLink } from './problem-link';
import type { Problem } from './problem-link';

const policy = join(import.meta.dirname, '../../../lib/server/policy');
const sections = (field: string) =>
	({
		listeners: 'listeners',
		relayHosts: 'relay-hosts',
		spool: 'spool',
		hostname: 'hostname',
		defaultPoolId: 'hostname',
		tls: 'hostname'
	})[field.split('.')[0] ?? ''];

/** Every field that a check of the settings names, read out of the checks themselves. */
const fields = [
	...new Set(
		['check-node.ts', 'check-relay.ts'].flatMap((name) =>
			[
				...readFileSync(join(policy, name), 'utf8').matchAll(
					/['`](listeners|relayHosts|spool|hostname|defaultPoolId|tls)((?:\.[^'`]*)?)['`]/g
				)
			].map(([, field, rest]) => `${field}${(rest ?? '').replace(/\$\{[^}]*\}/g, '0')}`)
		)
	)
];
const problem = (given: Partial<Problem>): Problem => ({
	severity: 'error',
	scope: 'node',
	code: 'any',
	message: '',
	blocks: true,
	...given
});

describe('a problem leads to the field that causes it', () => {
	it('knows the fields of the checks', () => {
		expect(fields.length).toBeGreaterThan(5);
	});

	it.each(fields)('%s of the settings', (field) => {
		const link = problemLink(problem({ field }));
		expect(link).toBe(`/settings#${sections(field)}`);
		const pages = ['StorageSettings', 'NodeSettings', 'ApiSettings', 'RelaySettings', 'ListenerSettings'];
		const texts = pages.map((name) => readFileSync(join(import.meta.dirname, `../settings/${name}.svelte`), 'utf8'));
		expect(texts.some((text) => text.includes(`id="${link.split('#')[1]}"`))).toBe(true);
	});

	const objects: [scope: Problem['scope'], link: string][] = [
		['domain', '/domains/one'],
		['sender', '/senders/one'],
		['source', '/sources'],
		['pool', '/pools'],
		['bounce-account', '/domains']
	];
	it.each(objects)('%s', (scope, link) => {
		expect(problemLink(problem({ scope, id: 'one', subject: 'box@bounce.a.example' }))).toBe(link);
	});
});
