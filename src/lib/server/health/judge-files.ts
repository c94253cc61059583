import { counted } from '../../shared/counted.ts';
import type { FileState, Owner } from '../host/files.ts';
import { failed, ok, unknown, warning } from './check.ts';
import type { Finding } from './check.ts';

/** A file or directory as it was seen. */
export interface Seen {
	path: string;
	state: FileState;
}

const octal = (mode: number) => `0${mode.toString(8).padStart(3, '0')}`;
const shown = ({ path, state }: Seen) => `${path}: mode ${octal(state.mode)}, owner ${state.uid}:${state.gid}.`;

/** The data directory is the panel's alone: 0700, and nothing below it is open to a group or to others. */
export function judgeDataFiles(directory: Seen, files: Seen[]): Finding {
	const owner = directory.state.uid;
	const open = [directory, ...files].filter(({ state }) => (state.mode & 0o077) !== 0);
	const strange = files.filter(({ state }) => state.kind === 'link' || state.uid !== owner);
	const command = `chown -R --reference=${directory.path} ${directory.path} && chmod -R go-rwx ${directory.path}`;
	if (open.length > 0)
		return failed('Others on this machine can look into the panel’s data.', {
			mend: 'Close it to everybody but the panel’s user.',
			command,
			details: open.map(shown)
		});
	if (strange.length > 0)
		return warning('Something among the panel’s data belongs to another user, or is a link.', {
			mend: 'Look who put it there, then give it back to the panel.',
			command,
			details: strange.map(shown)
		});
	return ok(`The database, the keys and all else in ${directory.path} are open to the panel’s user only.`);
}

export interface KeyFacts {
	keys: Seen[];
	/** The user that KumoMTA runs as; undefined where there is none, as in a sandbox. */
	kumod: Owner | undefined;
}

/** A DKIM key is read by KumoMTA alone: 0600, owner kumod. Whoever has it signs as the domain. */
export function judgeDkimFiles({ keys, kumod }: KeyFacts): Finding {
	if (keys.length === 0) return ok('There is no DKIM key file yet: an apply writes them.');
	const irregular = keys.filter(({ state }) => state.kind !== 'file');
	const open = keys.filter(({ state }) => state.kind === 'file' && (state.mode & 0o077) !== 0);
	const foreign = keys.filter(({ state }) => state.kind === 'file' && kumod !== undefined && state.uid !== kumod.uid);
	const mend = 'Close them: KumoMTA alone reads them.';
	const command = 'find /opt/kumomta/etc/dkim -type f -exec chown kumod:kumod {} + -exec chmod 600 {} +';
	if (open.length > 0)
		return failed(`${counted(open.length, 'DKIM key')} can be read by others: who reads it can sign as the domain.`, {
			mend: 'Close them. Then make new keys for these domains, since the old ones may have been read.',
			command,
			details: open.map(shown)
		});
	if (foreign.length > 0)
		return failed(`${counted(foreign.length, 'DKIM key')} does not belong to kumod, which cannot read it then.`, {
			mend,
			command,
			details: foreign.map(shown)
		});
	if (irregular.length > 0)
		return warning(`${counted(irregular.length, 'DKIM key')} is a link or no regular file.`, {
			mend: 'Look where it leads, remove it and apply again.',
			command: 'find /opt/kumomta/etc/dkim ! -type f ! -type d',
			details: irregular.map(shown)
		});
	return ok(`${counted(keys.length, 'DKIM key file')}, all closed to everybody but KumoMTA.`);
}

export interface PolicyFacts {
	/** Of the policy, from the outside inwards. Undefined: no policy was ever applied. */
	directory: Seen | undefined;
	below: Seen[];
	hasKumod: boolean;
}

/** The revisions hold every verifier of a sender's password, so only root and KumoMTA read them, and only root writes. */
export function judgePolicyFiles({ directory, below, hasKumod }: PolicyFacts): Finding {
	if (directory === undefined) return ok('There is no policy of the panel yet.');
	const all = [directory, ...below];
	const command = `chown -R ${hasKumod ? 'root:kumod' : `--reference=${directory.path}`} ${directory.path} && chmod -R u=rwX,g=rX,o= ${directory.path}`;
	const writable = all.filter(({ state }) => state.kind !== 'link' && (state.mode & 0o022) !== 0);
	if (writable.length > 0)
		return failed('Others than its owner can change what KumoMTA runs.', {
			mend: 'Close it, and look on the review page whether something was changed.',
			command,
			href: '/policy/review',
			details: writable.map(shown)
		});
	const foreign = all.filter(({ state }) => hasKumod && state.uid !== 0);
	if (foreign.length > 0)
		return failed('Part of the policy belongs to another user than root, who could change what KumoMTA runs.', {
			mend: 'Give it back to root.',
			command,
			details: foreign.map(shown)
		});
	const readable = all.filter(({ state }) => state.kind !== 'link' && (state.mode & 0o007) !== 0);
	const isClosed = (directory.state.mode & 0o007) === 0;
	if (readable.length > 0 && !isClosed)
		return failed('Everybody on this machine can read the policy, and with it the verifiers of passwords.', {
			mend: 'Close it to everybody but root and KumoMTA.',
			command,
			details: readable.map(shown)
		});
	return ok('The policy can be read by root and KumoMTA only, and changed by nobody but its owner.');
}

export function judgeTlsFiles(keys: Seen[]): Finding {
	if (keys.length === 0)
		return unknown('KumoMTA has no certificate of its own here: it makes a self-signed one.', {
			mend: 'Put one below etc/tls and choose it in Settings.',
			href: '/settings#field=tls'
		});
	const open = keys.filter(({ state }) => (state.mode & 0o007) !== 0 || (state.mode & 0o022) !== 0);
	if (open.length > 0)
		return failed(`${counted(open.length, 'private key')} of KumoMTA’s certificates is open to others.`, {
			mend: 'Close it, and get a new certificate: the key may have been read.',
			command: `chown root:kumod ${open.map(({ path }) => path).join(' ')} && chmod 640 ${open.map(({ path }) => path).join(' ')}`,
			details: open.map(shown)
		});
	return ok(`${counted(keys.length, 'private key')} of KumoMTA’s certificates, closed to others.`);
}
