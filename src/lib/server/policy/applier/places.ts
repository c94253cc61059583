import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { z } from 'zod';

/** Every path that the applier may touch. They are compiled in; only tests, as root, name others in a file of root's own. */
export interface Places {
	/** Of the web process: whose requests are taken. */
	webUser: string;
	inbox: string;
	/** Root's: answers, state and, closed to others, what only the applier may know. */
	results: string;
	/** The panel's data directory, from which the key of an older installation is taken over once. */
	dataDir: string;
	kumomtaRoot: string;
	mailRoot: string;
	dovecotEtc: string;
	dovecotBin: string | undefined;
	kumodBin: string | undefined;
	kumodApi: string;
	imapPort: number;
	pop3Port: number;
}

export const systemPlaces: Omit<Places, 'dovecotBin' | 'kumodBin'> = {
	webUser: 'kumomta-ui',
	inbox: '/var/lib/kumomta-ui/applier',
	results: '/var/lib/kumomta-ui-applier',
	dataDir: '/var/lib/kumomta-ui',
	kumomtaRoot: '/opt/kumomta',
	mailRoot: '/var/mail/kumomta',
	dovecotEtc: '/etc/dovecot',
	kumodApi: 'http://127.0.0.1:8000',
	imapPort: 993,
	pop3Port: 995
};

/** The programs of the system, where they are installed. @param isThere whether there is such a file */
export function withPrograms(isThere: (path: string) => boolean): Places {
	const only = (path: string) => (isThere(path) ? path : undefined);
	return {
		...systemPlaces,
		dovecotBin: only('/usr/sbin/dovecot'),
		kumodBin: only(`${systemPlaces.kumomtaRoot}/sbin/kumod`)
	};
}

const path = z.string().regex(/^\/[A-Za-z0-9._/-]+$/);
const placesFile = z.strictObject({
	webUser: z.string(),
	inbox: path,
	results: path,
	dataDir: path,
	kumomtaRoot: path,
	mailRoot: path,
	dovecotEtc: path,
	dovecotBin: path.optional(),
	kumodBin: path.optional(),
	kumodApi: z.url(),
	imapPort: z.int(),
	pop3Port: z.int()
});

/** Other places, from a file that only root can have written. @throws when anybody else could */
export function readPlaces(file: string): Places {
	const handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
	try {
		const { uid, mode } = fstatSync(handle);
		if (uid !== 0 || (mode & 0o022) !== 0) throw new Error(`${file} can be written by others than root.`);
		const { dovecotBin, kumodBin, ...places } = placesFile.parse(JSON.parse(readFileSync(handle, 'utf8')));
		return { ...places, dovecotBin, kumodBin };
	} finally {
		closeSync(handle);
	}
}
