import { expect, test } from 'vitest';
import { generatePassword } from './generate-password';
import { passwordLack } from './password-hint';

test.each([
	['', 'Choose a password.'],
	['elevenchars', '1 more character'],
	['short', '7 more characters'],
	['x'.repeat(73), 'At most 72 bytes'],
	// 25 characters, 75 bytes.
	['€'.repeat(25), 'At most 72 bytes'],
	// 12 emoji are 12 characters, not 24.
	['🦆'.repeat(11), '1 more character']
])('%s lacks: %s', (password, lack) => expect(passwordLack(password)).toContain(lack));

test.each(['twelve chars', 'x'.repeat(72), '🦆'.repeat(12)])('%s is enough', (password) =>
	expect(passwordLack(password)).toBeUndefined()
);

test('a generated password has its length, no look-alikes, and is never the same', () => {
	const many = Array.from({ length: 200 }, () => generatePassword());
	expect(new Set(many).size).toBe(200);
	for (const password of many) expect(password).toMatch(/^[A-HJ-NP-Za-km-z2-9]{24}$/);
});
