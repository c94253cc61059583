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
	const read = createAddressReader();
	return text.split(/\r\n|\n|\r/).flatMap((line) => read(line) ?? []);
}

/** The same line by line, for files larger than memory; undefined for the line of names and for empty lines. */
export function createAddressReader(): (line: string) => AddressLine | undefined {
	let column = 0;
	let number = 0;
	return (line) => {
		number += 1;
		const cells = cellsOf(number === 1 ? line.replace(/^\u{feff}/u, '') : line);
		if (number === 1) {
			const named = cells.findIndex((cell) => columnNames.includes(cell.toLowerCase()));
			column = Math.max(named, 0);
			if (named !== -1) return undefined;
		}
		if (line.trim() === '') return undefined;
		const address = (cells[column] ?? '').replace(/^'(?=[=+\-@])/, '');
		return { line: number, address, ...errorOf(address) };
	};
}

const columnNames = ['address', 'email', 'e-mail', 'recipient'];

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
