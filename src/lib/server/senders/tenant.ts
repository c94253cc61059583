const maxLength = 80;
/** Room for a dash and a counter. */
const stemLength = 72;

/**
 * The tenant's name before collisions: local part and domain joined by `.`, every other character `-`, the first one a
 * letter or digit, at most 80 characters. KumoMTA's queue names and metrics survive this alphabet.
 */
export function tenantName(localPart: string, domain: string): string {
	const name = `${localPart}.${domain}`.replaceAll(/[^a-z0-9._-]/g, '-').replace(/^[^a-z0-9]+/, '');
	return (name || 'sender').slice(0, maxLength);
}

/** Where the numbered names of a tenant stand in the order of names: from `first` up to, not including, `end`. */
export function numberedNames(name: string): { first: string; end: string } {
	const stem = name.slice(0, stemLength);
	return { first: `${stem}-`, end: `${stem}.` };
}

/** The name itself, or the first free of `-2`, `-3`, … */
export function freeTenant(name: string, taken: { has(name: string): boolean }): string {
	if (!taken.has(name)) return name;
	const stem = name.slice(0, stemLength);
	for (let number = 2; ; number += 1) if (!taken.has(`${stem}-${number}`)) return `${stem}-${number}`;
}
