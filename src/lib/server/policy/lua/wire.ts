export const toHex = (text: string) => Buffer.from(text, 'utf8').toString('hex');
export const fromHex = (hex: string) => Buffer.from(hex, 'hex').toString('utf8');

/** Null members would break in the wasm bridge; in Lua an absent member is nil anyway. */
export function withoutNulls(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(withoutNulls);
	if (value === null || typeof value !== 'object') return value;
	return Object.fromEntries(
		Object.entries(value)
			.filter(([, member]) => member !== null && member !== undefined)
			.map(([key, member]) => [key, withoutNulls(member)])
	);
}
