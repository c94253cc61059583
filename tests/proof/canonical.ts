/** JSON with the members of each object in one order: Lua has none. */
export function canonical(value: unknown): string {
	return JSON.stringify(value, (_, member: unknown) =>
		member !== null && typeof member === 'object' && !Array.isArray(member)
			? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
			: member
	);
}
