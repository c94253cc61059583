/** How a sender gets its password. */
export type PasswordWay = 'generate' | 'choose' | 'none';

/** As the API takes it: left out, the panel makes one; null is none. */
export function passwordInput(way: PasswordWay, password: string): { password?: string | null } {
	if (way === 'generate') return {};
	return { password: way === 'none' ? null : password };
}

/** How long a password may be, in characters. */
export interface PasswordBounds {
	min: number;
	max: number;
}

export const senderPassword: PasswordBounds = { min: 16, max: 128 };

/** What the server would refuse, said while it is typed. */
export function passwordError(
	way: PasswordWay,
	password: string,
	{ min, max }: PasswordBounds = senderPassword
): string | undefined {
	if (way !== 'choose') return undefined;
	if (password.length < min) return `At least ${min} characters; ${password.length} so far.`;
	if (password.length > max) return `At most ${max} characters.`;
	return /^[\x20-\x7e]*$/.test(password)
		? undefined
		: 'Only letters, digits, spaces and the signs of an English keyboard: programs disagree about the others.';
}
