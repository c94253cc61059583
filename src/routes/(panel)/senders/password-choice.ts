/** How a sender gets its password. */
export type PasswordWay = 'generate' | 'choose' | 'none';

/** As the API takes it: left out, the panel makes one; null is none. */
export function passwordInput(way: PasswordWay, password: string): { password?: string | null } {
	if (way === 'generate') return {};
	return { password: way === 'none' ? null : password };
}

/** What the server would refuse, said while it is typed. */
export function passwordError(way: PasswordWay, password: string): string | undefined {
	if (way !== 'choose') return undefined;
	if (password.length < 16) return `At least 16 characters; ${password.length} so far.`;
	if (password.length > 128) return 'At most 128 characters.';
	return /^[\x20-\x7e]*$/.test(password)
		? undefined
		: 'Only letters, digits, spaces and the signs of an English keyboard: programs disagree about the others.';
}
