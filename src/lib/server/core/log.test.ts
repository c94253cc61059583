import { describe, expect, it } from 'vitest';
import { createLog } from './log.ts';

describe('log', () => {
	it('writes one JSON object a line, whatever the text', () => {
		const lines: string[] = [];
		createLog('info', (line) => lines.push(line))
			.with({ requestId: 'r1' })
			.info('mail', { subject: 'a\nb\r\n{"level":"error"}\u2028' });
		expect(lines).toHaveLength(1);
		expect(lines[0]).not.toMatch(/[\n\r]/);
		expect(JSON.parse(lines[0] ?? '')).toMatchObject({
			event: 'mail',
			requestId: 'r1',
			subject: 'a\nb\r\n{"level":"error"}\u2028'
		});
	});

	it('keeps the parameters of a failed statement to itself', () => {
		const lines: string[] = [];
		const error = Object.assign(
			new Error('Failed query: insert … params: hunter2', {
				cause: Object.assign(new Error('x'), { extendedCode: 'SQLITE_CONSTRAINT_UNIQUE' })
			}),
			{ name: 'DrizzleQueryError' }
		);
		createLog('info', (line) => lines.push(line)).error('failed', { error });
		expect(lines[0]).not.toContain('hunter2');
		expect(lines[0]).toContain('SQLITE_CONSTRAINT_UNIQUE');
	});

	it('does so for the error that drizzle really throws, and for what wraps it', async () => {
		const lines: string[] = [];
		const { openDatabase } = await import('./database.ts');
		const { sql } = await import('drizzle-orm');
		const database = await openDatabase('file::memory:');
		const thrown: unknown = await database.db
			.run(sql`select * from nowhere where x = ${'hunter2'}`)
			.catch((error: unknown) => error);
		database.close();
		const { message } = thrown as Error;
		expect(message).toContain('hunter2');
		const log = createLog('info', (line) => lines.push(line));
		for (const error of [thrown, new Error(message, { cause: thrown }), new Error(message)])
			log.error('failed', { error });
		expect(lines.join()).not.toContain('hunter2');
	});

	it('leaves out what is below its level', () => {
		const lines: string[] = [];
		const log = createLog('warn', (line) => lines.push(line));
		log.debug('a');
		log.info('b');
		log.warn('c');
		expect(lines).toHaveLength(1);
	});
});
