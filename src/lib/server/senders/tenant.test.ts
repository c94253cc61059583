import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freeTenant, numberedNames, tenantName } from './tenant.ts';

/** The alphabet that the policy takes. */
const valid = /^[a-z0-9][a-z0-9._-]{0,79}$/;
const text = (alphabet: string, maxLength: number) =>
	fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength });

it.each([
	['news', 'example.com', 'news.example.com'],
	['a+b', 'example.com', 'a-b.example.com'],
	['_private', 'example.com', 'private.example.com'],
	['+', 'example.com', 'example.com'],
	["!#$%&'*", 'xn--bcher-kva.example', 'xn--bcher-kva.example'],
	['_', '_._', 'sender'],
	['a'.repeat(64), 'example-company.example.com', `${'a'.repeat(64)}.example-company`]
])('%s at %s is %s', (localPart, domain, tenant) => {
	expect(tenantName(localPart, domain)).toBe(tenant);
});

describe('any address', () => {
	const localParts = text("abz019!#$%&'*+/=?^_`{|}~-.", 64);
	const domains = text('abz019-_.', 253);

	it('has a tenant inside the alphabet', () => {
		fc.assert(fc.property(localParts, domains, (localPart, domain) => valid.test(tenantName(localPart, domain))));
	});

	it('finds a free name that is valid, not taken, and where the look-up for numbered names sees it', () => {
		fc.assert(
			fc.property(localParts, domains, fc.integer({ min: 1, max: 30 }), (localPart, domain, count) => {
				const name = tenantName(localPart, domain);
				const { first, end } = numberedNames(name);
				const taken = new Set<string>();
				for (let index = 0; index < count; index += 1) {
					const free = freeTenant(name, taken);
					expect(valid.test(free) && !taken.has(free)).toBe(true);
					expect(free === name || (free >= first && free < end)).toBe(true);
					taken.add(free);
				}
			})
		);
	});
});
