import { join } from 'node:path';

/** Every account's id looks like this (core/id.ts): nothing else becomes a part of a path below the mail root. */
const accountId = /^[a-z0-9]{16}$/;

/**
 * The Maildir of a bounce account, which KumoMTA writes, Dovecot serves and the panel keeps in bounds: `cur`, `new` and
 * `tmp` lie in it (https://cr.yp.to/proto/maildir.html). The policy's program names the same directory.
 * @throws Error when that is no id: a path made of anything else is a bug.
 */
export function maildirOf(mailRoot: string, id: string): string {
	if (!accountId.test(id)) throw new Error('This is not the id of a bounce account.');
	return join(mailRoot, id);
}
