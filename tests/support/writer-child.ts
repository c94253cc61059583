import { openDatabase } from '../../src/lib/server/core/database.ts';

/** Writes rows one commit at a time and tells, after each hundred at the latest, how many were acknowledged. */
const database = await openDatabase(`file:${process.argv[2] ?? ''}`);
let isOver = false;
process.on('SIGTERM', () => (isOver = true));
for (let n = 1; !isOver; n += 1) {
	await database.client.execute({ sql: 'INSERT INTO written (n) VALUES (?)', args: [n] });
	if (n % 20 === 0) {
		process.stdout.write(`${n}\n`);
		await new Promise((resolve) => setImmediate(resolve));
	}
}
database.close();
