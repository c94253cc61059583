import { readFileSync } from 'node:fs';
import type { Owner } from './files.ts';

/** Looks a local user up in /etc/passwd (passwd(5)), where KumoMTA's packages create `kumod`. */
export function findUser(name: string, passwdFile = '/etc/passwd'): Owner | undefined {
	for (const line of readFileSync(passwdFile, 'utf8').split('\n')) {
		const [user, , uid, gid] = line.split(':');
		if (user === name && uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
	}
	return undefined;
}
