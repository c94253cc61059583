import { sql } from 'drizzle-orm';
import { integer, text } from 'drizzle-orm/sqlite-core';
import { newId } from './id.ts';

/** A random identifier (80 bits, lower-case base32); never reused, so an old mailbox or key never meets a new owner. */
export const id = () => text('id').primaryKey().$defaultFn(newId);

/** A moment: integer milliseconds UTC. Column names end in `_at`. */
export const moment = (name: string) => integer(name);

/** Counts the changes of an item; `update` and `remove` may name the version they saw. */
export const version = () => integer('version').notNull().default(1);

export const flag = (name: string) => integer(name, { mode: 'boolean' });

/** JSON with a type that only the compiler sees: parse it by zod where it matters. */
export const json = <T>(name: string) => text(name, { mode: 'json' }).$type<T>();

/** Adds one to an item's version inside an update. */
export const nextVersion = sql`version + 1`;
