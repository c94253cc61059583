import { join } from 'node:path';
import type { App } from '../app.ts';
import type { DbOrTransaction } from '../core/database.ts';
import { plainText } from '../core/plain-text.ts';
import { errnoOf } from '../host/file-errors.ts';
import { DamagedSegment } from './decoder.ts';
import { dropReader, setFinished } from './known.ts';
import type { Directory } from './known.ts';
import type { Line } from './lines.ts';
import { leadingType, parseRecord } from './record.ts';
import type { LogRecord } from './record.ts';
import { createSegmentReader, openSegment, segmentId } from './segment-reader.ts';
import type { OpenSegment, SegmentReader } from './segment-reader.ts';
import { findCountedLines, SegmentMoved, writeProgress } from './segments.ts';

/** A record and where it stands. */
export interface TakenRecord {
	record: LogRecord;
	segment: string;
	line: number;
}

/** What counts records. */
export interface Taker {
	/** Records of other types are not even parsed. */
	wants: ReadonlySet<string>;
	/** Writes in the transaction that moves the position: both are there afterwards, or neither. */
	store: (tx: DbOrTransaction, taken: TakenRecord[]) => Promise<void>;
}

/** What is left of a turn. */
export interface Work {
	files: number;
	/** Of 16 KB, compressed. */
	pieces: number;
	lines: number;
	records: number;
}

/** Each reader holds a window of some megabytes. */
const maxReaders = 4;
const batchRecords = 200;

interface Place {
	directory: Directory;
	name: string;
	left: Work;
}

/** Reads on in one segment. Answers the system's code when the file may not be read. */
export async function readSegment(app: App, taker: Taker, place: Place): Promise<string | undefined> {
	const { directory, name } = place;
	let file: OpenSegment | undefined;
	try {
		file = await openSegment(join(directory.path, name));
	} catch (error) {
		return errnoOf(error) ?? 'unknown';
	}
	if (file === undefined) return undefined;
	const { reader, isResumed } = readerOf(directory, name, file);
	try {
		await readOn(app, taker, { ...place, file, reader, isResumed });
	} catch (error) {
		dropReader(directory, name);
		if (!(error instanceof SegmentMoved)) throw error;
	} finally {
		await file.handle.close();
	}
	return undefined;
}

/** The reader of the turn before, unless the file is another one or shorter now. */
function readerOf(directory: Directory, name: string, file: OpenSegment) {
	const { readers } = directory;
	const open = readers.get(name);
	if (open !== undefined && open.inode === file.inode && open.position <= file.bytes)
		return { reader: open, isResumed: true };
	dropReader(directory, name);
	const [oldest] = readers.keys();
	if (readers.size >= maxReaders && oldest !== undefined) dropReader(directory, oldest);
	const reader = createSegmentReader(file.inode);
	readers.set(name, reader);
	return { reader, isResumed: false };
}

interface Reading extends Place {
	file: OpenSegment;
	reader: SegmentReader;
	isResumed: boolean;
}

async function readOn(app: App, taker: Taker, reading: Reading): Promise<void> {
	const { directory, name, file, reader } = reading;
	const batch = openBatch(app, taker, reading);
	try {
		if (!(await readPieces(reading, batch.add))) return await batch.write('open');
	} catch (error) {
		if (!(error instanceof DamagedSegment)) throw error;
		return giveUp(app, reading, batch);
	}
	if (!file.isClosed) return batch.write('open');
	const rest = reader.rest();
	if (rest !== '') await batch.add([rest]);
	await batch.write('done');
	dropReader(directory, name);
	setFinished(directory, name);
}

/** Whether the end of the file was reached. */
async function readPieces({ file, reader, left }: Reading, add: (lines: Line[]) => Promise<void>): Promise<boolean> {
	while (Math.min(left.pieces, left.lines, left.records) > 0) {
		left.pieces -= 1;
		const piece = await reader.readPiece(file);
		if (piece === undefined) return true;
		for await (const lines of piece) await add(lines);
	}
	return false;
}

async function giveUp(app: App, { directory, name, file, reader, isResumed }: Reading, batch: Batch): Promise<void> {
	if (reader.isForeign) {
		dropReader(directory, name);
		directory.foreign.set(name, `${file.inode} ${file.bytes}`);
		return;
	}
	// What earlier turns read may have been overwritten since: it is read from the start once before it is given up.
	if (isResumed && !directory.restarted.has(name)) {
		directory.restarted.add(name);
		throw new SegmentMoved('The segment is read again from its start.');
	}
	await batch.write('damaged');
	dropReader(directory, name);
	setFinished(directory, name);
	app.log.warn('segment of the log is damaged', { segment: plainText(name, 255), linesRead: reader.lines });
}

interface Batch {
	add: (lines: Line[]) => Promise<void>;
	write: (state: 'open' | 'done' | 'damaged') => Promise<void>;
}

/** Lines as they are read, counted in transactions of some hundred records. */
function openBatch(app: App, taker: Taker, { directory, name, file, reader, left }: Reading): Batch {
	let taken: TakenRecord[] = [];
	let unreadable = 0;

	async function add(lines: Line[]): Promise<void> {
		left.lines -= lines.length;
		for (const line of lines) {
			if (reader.id === undefined) await identify(line ?? `over-long ${place()}`);
			reader.lines += 1;
			if (reader.lines > (reader.counted ?? 0)) take(line);
			if (taken.length >= batchRecords) await write('open');
		}
	}

	function take(line: Line): void {
		const type = line === undefined ? undefined : leadingType(line);
		if (type !== undefined && !taker.wants.has(type)) return;
		const record = line === undefined ? undefined : parseRecord(line);
		if (record === undefined) unreadable += 1;
		else if (taker.wants.has(record.type)) taken.push({ record, segment: name, line: reader.lines });
	}

	const place = () => `${directory.path}/${name} ${file.inode}`;

	async function identify(line: string): Promise<void> {
		reader.id = segmentId(line);
		reader.counted = await findCountedLines(app.db, reader.id);
	}

	async function write(state: 'open' | 'done' | 'damaged'): Promise<void> {
		if (state === 'open' && taken.length === 0) return;
		if (reader.id === undefined) await identify(`empty ${place()}`);
		const { id = '', lines, counted } = reader;
		const seen = { id, directory: directory.path, name, inode: file.inode, bytes: file.bytes, lines, counted, state };
		await app.db.transaction(async (tx) => {
			await writeProgress(tx, { ...seen, unreadable }, app.clock());
			if (taken.length > 0) await taker.store(tx, taken);
		});
		left.records -= taken.length;
		reader.counted = Math.max(lines, counted ?? 0);
		taken = [];
		unreadable = 0;
	}

	return { add, write };
}
