/**
 * What a new password still lacks, or undefined. At least 12 characters; at most 72 bytes, because bcrypt reads no more.
 * Measured after NFKC, as the server does. Whether it is a common one only the server knows.
 */
export function passwordLack(password: string): string | undefined {
	const normal = password.normalize('NFKC');
	const length = [...normal].length;
	if (length === 0) return 'Choose a password.';
	if (length < 12)
		return `${12 - length} more ${12 - length === 1 ? 'character' : 'characters'}: it needs at least 12.`;
	if (new TextEncoder().encode(normal).length > 72) return 'At most 72 bytes: shorten it a little.';
	return undefined;
}
