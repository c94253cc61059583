const units = ['KiB', 'MiB', 'GiB', 'TiB'];

/** "0 bytes", "1.5 MiB", "12 GiB": in powers of 1,024, one digit behind the point below ten. */
export function bytesText(bytes: number): string {
	if (bytes < 1024) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
	let value = bytes / 1024;
	let at = 0;
	// What would round to 1024 of a unit is 1 of the next.
	for (; value >= 1023.5 && at < units.length - 1; at += 1) value /= 1024;
	const digits = value < 9.95 && !Number.isInteger(value) ? 1 : 0;
	return `${value.toFixed(digits).replace(/\.0$/, '')} ${units[at] ?? ''}`;
}
