import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { sessions, users } from '../../src/lib/server/auth/tables.ts';
import { openDatabase } from '../../src/lib/server/core/database.ts';
import type { Database } from '../../src/lib/server/core/database.ts';
import type { BuiltServer } from '../support/built-server.ts';
import { createClient } from '../support/client.ts';

/**
 * Registers the first user and restarts the server with so many sessions: one has a budget of calls, and what is measured
 * is the rate of many clients. @param prepare fills the database while the server is down.
 */
export async function signIn(
	server: BuiltServer,
	count: number,
	prepare: (database: Database) => Promise<void> = async () => {}
): Promise<string[]> {
	await createClient(server.url).auth.register.mutate({
		email: 'bench@example.net',
		password: 'a long and quiet sentence',
		setupCode: server.setupCode()
	});
	await server.stop();
	const database = await openDatabase(`file:${join(server.dataDir, 'panel.db')}`);
	await prepare(database);
	const tokens = await addSessions(database, count);
	database.close();
	await server.restart();
	return tokens;
}

async function addSessions(database: Database, count: number): Promise<string[]> {
	const [user] = await database.db.select({ id: users.id }).from(users);
	const now = Date.now();
	const tokens = Array.from({ length: count }, () => randomBytes(32).toString('base64url'));
	const rows = tokens.map((token) => ({
		userId: user?.id ?? '',
		tokenHash: createHash('sha256').update(token).digest('hex'),
		createdAt: now,
		expiresAt: now + 3_600_000,
		lastUsedAt: now,
		address: '127.0.0.1',
		userAgent: 'bench'
	}));
	await database.db.insert(sessions).values(rows);
	return tokens;
}
