import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { apiReference } from '../../scripts/reference.ts';

it('the API reference is what the procedures say (npm run reference writes it)', () => {
	const written = readFileSync(join(import.meta.dirname, '../../docs/reference/api.md'), 'utf8');
	expect(written).toBe(apiReference());
	expect(written).toContain('## policy.apply');
});
