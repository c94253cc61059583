/** One record, or why it is none; `line` is where it begins, counted from 1. */
export interface CsvRecord {
	line: number;
	fields: string[];
	problem?: string;
}

/**
 * Reads CSV as RFC 4180 says: commas, fields in double quotes when they hold commas, quotes (doubled) or line breaks. A
 * line ends with CRLF or LF, also the last; a byte-order mark at the start and empty lines are passed over. A record
 * that breaks the rules is answered as a problem, and reading goes on after its line.
 */
export function* readCsv(text: string): Generator<CsvRecord> {
	let position = text.startsWith('\u{feff}') ? 1 : 0;
	let line = 1;
	while (position < text.length) {
		const end = endOfLine(text, position);
		const plain = text.slice(position, text[end - 1] === '\r' ? end - 1 : end);
		if (!plain.includes('"')) {
			if (plain !== '') yield { line, fields: plain.split(',') };
			position = end + 1;
			line += 1;
		} else {
			const record = readQuoted(text, position);
			yield {
				line,
				...(record.problem === undefined ? { fields: record.fields } : { fields: [], problem: record.problem })
			};
			line += countBreaks(text, position, record.end);
			position = record.end;
		}
	}
}

function endOfLine(text: string, from: number): number {
	const end = text.indexOf('\n', from);
	return end === -1 ? text.length : end;
}

function countBreaks(text: string, from: number, to: number): number {
	let count = 0;
	for (let at = text.indexOf('\n', from); at !== -1 && at < to; at = text.indexOf('\n', at + 1)) count += 1;
	return count;
}

interface Quoted {
	fields: string[];
	/** Where the next record begins. */
	end: number;
	problem?: string;
}

function readQuoted(text: string, start: number): Quoted {
	const fields: string[] = [];
	let position = start;
	for (;;) {
		const field = text[position] === '"' ? readQuotedField(text, position) : readPlainField(text, position);
		if ('problem' in field)
			return { fields: [], problem: field.problem, end: endOfLine(text, Math.max(start, field.end)) + 1 };
		fields.push(field.value);
		if (text[field.end] === ',') position = field.end + 1;
		else return { fields, end: field.end + (text[field.end] === '\r' ? 2 : 1) };
	}
}

type Field = { value: string; end: number } | { problem: string; end: number };

function readPlainField(text: string, start: number): Field {
	const stop = /[",\n]/g;
	stop.lastIndex = start;
	const end = stop.exec(text)?.index ?? text.length;
	if (text[end] === '"')
		return {
			problem: 'A quote stands inside a field. Put the whole field in quotes and double each quote in it.',
			end
		};
	const isBeforeBreak = text[end] !== ',' && text[end - 1] === '\r' && end > start;
	return { value: text.slice(start, isBeforeBreak ? end - 1 : end), end: isBeforeBreak ? end - 1 : end };
}

function readQuotedField(text: string, start: number): Field {
	let value = '';
	let from = start + 1;
	for (;;) {
		const quote = text.indexOf('"', from);
		if (quote === -1) return { problem: 'A quote is opened here and never closed.', end: start };
		value += text.slice(from, quote);
		if (text[quote + 1] !== '"') {
			const after = text.startsWith('\r\n', quote + 1) ? '\n' : (text[quote + 1] ?? '\n');
			if (after === ',' || after === '\n') return { value, end: quote + 1 };
			return { problem: 'Something stands between a closing quote and the next comma.', end: quote + 1 };
		}
		value += '"';
		from = quote + 2;
	}
}
