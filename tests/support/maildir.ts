import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

let number = 0;

/** Makes the Maildir of an account, or a folder in it, as the apply does. */
export function makeMaildir(path: string): string {
	for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(path, part), { recursive: true });
	return path;
}

/** Puts a message into a Maildir, named as KumoMTA and Dovecot name it. */
export function deliver(
	maildir: string,
	{ at, bytes = 100, part = 'new' }: { at: number; bytes?: number; part?: 'new' | 'cur' }
): string {
	number += 1;
	const name = `${Math.floor(at / 1000)}.M${number}P1V2I${number}.mta.example.net,S=${bytes}${part === 'cur' ? ':2,S' : ''}`;
	writeFileSync(join(maildir, part, name), 'x'.repeat(bytes));
	return name;
}

/** Puts a file whose name tells nothing, as other software may. */
export function deliverNameless(maildir: string, { at, bytes }: { at: number; bytes: number }): string {
	number += 1;
	const path = join(maildir, 'new', `message-${number}`);
	writeFileSync(path, 'x'.repeat(bytes));
	utimesSync(path, at / 1000, at / 1000);
	return path;
}

/** Every message of a Maildir, `part/name`. */
export const messagesIn = (maildir: string): string[] =>
	['new', 'cur']
		.filter((part) => existsSync(join(maildir, part)))
		.flatMap((part) => readdirSync(join(maildir, part)).map((name) => `${part}/${name}`))
		.sort();
