export interface AddressLine {
	line: number;
	address: string;
	/** What the browser sees already; the server judges the others. */
	error?: string;
}

/**
 * The addresses of a CSV or of a plain list: the first column, or the one that is named address, email or recipient. An
 * apostrophe that an export put in front of a formula's sign is taken away again.
 */
export function readAddressLines(text: string): AddressLine[] {
	const lines = text.replace(/^\u{feff}/u, '').split(/\r\n|\n|\r/);
	const first = cellsOf(lines[0] ?? '').map((cell) => cell.toLowerCase());
	const named = first.findIndex((cell) => ['address', 'email', 'e-mail', 'recipient'].includes(cell));
	const column = Math.max(named, 0);
	const found: AddressLine[] = [];
	for (const [index, line] of lines.entries()) {
		if ((index === 0 && named !== -1) || line.trim() === '') continue;
		const address = (cellsOf(line)[column] ?? '').replace(/^'(?=[=+\-@])/, '');
		found.push({ line: index + 1, address, ...errorOf(address) });
	}
	return found;
}

/** Cells of one line; quotes around a cell and doubled quotes in it as RFC 4180 has them. */
function cellsOf(line: string): string[] {
	const separator = !line.includes(',') && /[;\t]/.test(line) ? /[;\t]/ : /,/;
	if (!line.includes('"')) return line.split(separator).map((cell) => cell.trim());
	return [...line.matchAll(/(?:^|[,;\t])\s*(?:"((?:[^"]|"")*)"|([^,;\t]*))/g)].map(([, quoted, plain]) =>
		(quoted?.replaceAll('""', '"') ?? plain ?? '').trim()
	);
}

function errorOf(address: string): { error?: string } {
	if (address === '') return { error: 'There is no address in this line.' };
	return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(address) ? {} : { error: 'This is not an e-mail address.' };
}
