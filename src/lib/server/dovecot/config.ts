import { join } from 'node:path';
import type { Owner } from '../host/files.ts';
import type { DovecotPlace } from './roots.ts';

export interface ConfigInput extends Pick<DovecotPlace, 'roots' | 'ports'> {
	/** `<number>-<hash12>` */
	revision: string;
	/** Null: no certificate is set, so nothing listens. */
	tls: { certificate: string; privateKey: string } | null;
	mailUser: Owner;
}

const heading = /^# kumomta-ui revision ([0-9]+-[0-9a-f]{12})\n/;

/** The revision that a dovecot.conf of ours says it is; undefined: it is not ours. */
export const revisionOfConf = (text: string | undefined): string | undefined => heading.exec(text ?? '')?.[1];

export const stagedDirectory = ({ revisions }: Pick<DovecotPlace['roots'], 'revisions'>, revision: string) =>
	join(revisions, plain(revision, /^[0-9]+-[0-9a-f]{12}$/));

/**
 * The whole configuration of Dovecot 2.3 (https://doc.dovecot.org/2.3/configuration_manual/): it includes nothing, so no
 * system user can sign in, and it names the passwd-files of its own revision, so that one rename changes all of it.
 * @throws Error when a value could be read as anything but itself: all of them are ours.
 */
export function renderConfig({ revision, roots, ports, tls, mailUser }: ConfigInput): string {
	const directory = path(stagedDirectory(roots, revision));
	const [uid, gid] = [whole(mailUser.uid), whole(mailUser.gid)];
	return `# kumomta-ui revision ${revision}
# Written by KumoMTA UI; the next apply replaces it. It is complete: conf.d is not read.
${roots.baseDir === null ? '' : `base_dir = ${path(roots.baseDir)}\n`}${roots.log === null ? '' : `log_path = ${path(roots.log)}\n`}
${
	tls === null
		? '# Settings name no TLS certificate. No password may travel without one, so nothing listens.\nprotocols ='
		: `protocols = imap pop3
ssl_cert = <${path(tls.certificate)}
ssl_key = <${path(tls.privateKey)}`
}
ssl = required
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = yes
auth_mechanisms = plain login
auth_username_format = %Lu
# The signs of a dot-atom (RFC 5322 3.2.3) and @.
auth_username_chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_@!#$%&'*+/=?^\`{|}~"

${['passwd', 'probe'].map((name) => database('passdb', `scheme=BLF-CRYPT username_format=%u ${directory}/${name}`)).join('\n')}
${['passwd', 'probe'].map((name) => database('userdb', `username_format=%u ${directory}/${name}`)).join('\n')}

first_valid_uid = ${uid}
last_valid_uid = ${uid}
first_valid_gid = ${gid}
last_valid_gid = ${gid}
mail_location = maildir:~
namespace inbox {
  inbox = yes
}
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  # Counted from the index: KumoMTA delivers beside Dovecot, which a file of sums would not notice.
  quota = count:Mailbox
  quota_vsizes = yes
}
mail_max_userip_connections = 20
${login('imap', ports.imap)}
${login('pop3', ports.pop3)}
service imap {
  process_limit = 512
}
service pop3 {
  process_limit = 512
}
`;
}

const database = (kind: 'passdb' | 'userdb', args: string) => `${kind} {
  driver = passwd-file
  args = ${args}
}`;

/** Implicit TLS only (RFC 8314 3): the port without it stays closed. One process a connection keeps logins apart. */
const login = (protocol: 'imap' | 'pop3', port: number) => `service ${protocol}-login {
  service_count = 1
  process_limit = 128
  inet_listener ${protocol} {
    port = 0
  }
  inet_listener ${protocol}s {
    port = ${whole(port)}
    ssl = yes
  }
}`;

const path = (text: string) => plain(text, /^(?!.*\.\.)\/[A-Za-z0-9._/-]+$/);

function whole(value: number): number {
	if (!Number.isSafeInteger(value) || value < 1) throw new Error('A number in Dovecot’s configuration is not usable.');
	return value;
}

function plain(text: string, alphabet: RegExp): string {
	if (alphabet.test(text)) return text;
	throw new Error('A value in Dovecot’s configuration holds characters that it may not.');
}
