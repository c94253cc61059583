import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Doubles of `dovecot`, `doveconf` and `doveadm`: not Dovecot. They say a version, accept or refuse a configuration without
 * reading it, and are never running. What needs a Dovecot that serves mail stands in tests/mail.
 */
export interface DovecotDouble {
	/** Path of `dovecot`; its tools lie beside it. */
	bin: string;
	set(behaviour: { version?: string; refuses?: string }): void;
}

export function makeDovecotDouble(directory: string): DovecotDouble {
	mkdirSync(directory, { recursive: true });
	const put = (name: string, script: string) => {
		writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`);
		chmodSync(join(directory, name), 0o755);
	};
	const set = ({ version = '2.3.19.1 (9b53102964)', refuses }: { version?: string; refuses?: string }) => {
		put('dovecot', `echo '${version}'`);
		put('doveconf', refuses === undefined ? 'exit 0' : `echo 'doveconf: Fatal: ${refuses}' >&2; exit 89`);
	};
	set({});
	put('doveadm', "echo 'doveadm(root): Fatal: Dovecot is not running (read from master.pid)' >&2; exit 75");
	return { bin: join(directory, 'dovecot'), set };
}
