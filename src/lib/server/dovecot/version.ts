import { basename, dirname, join } from 'node:path';
import { systemEtc } from './roots.ts';
import type { DovecotPlace } from './roots.ts';

export type DovecotVersion = { isSupported: true; version: string } | { isSupported: false; sentence: string };

/** What `dovecot --version` prints, like `2.3.19.1 (9b53102964)`, judged. */
export function judgeVersion(printed: string): DovecotVersion {
	const found = /^([0-9]+)\.([0-9]+)(?:\.[0-9]+)*/.exec(printed.trim());
	const todo =
		'No file of Dovecot was touched; mail is delivered into the mailboxes all the same. Install Dovecot 2.3 (Debian 12, Rocky 9) and apply again.';
	if (found === null) return { isSupported: false, sentence: `The version of Dovecot cannot be read. ${todo}` };
	const [version, major, minor] = [found[0], Number(found[1]), Number(found[2])];
	if (major === 2 && minor === 3) return { isSupported: true, version };
	const why =
		major > 2 || minor > 3
			? 'its configuration has another syntax since 2.4, which the panel does not write'
			: 'it is older than what the panel writes for';
	return { isSupported: false, sentence: `Dovecot ${version} is installed: ${why}. ${todo}` };
}

export async function readVersion({ host, bin }: DovecotPlace): Promise<DovecotVersion> {
	if (bin === undefined) return { isSupported: false, sentence: 'Dovecot is not installed here.' };
	const { stdout } = await host.run(bin, ['--version'], { timeoutMs: 10_000, maxBytes: 1024 });
	return judgeVersion(stdout);
}

/** `doveconf` and `doveadm` lie beside `dovecot`, except where packages put it into sbin. */
export function toolOf(bin: string, tool: 'doveconf' | 'doveadm'): string {
	return basename(dirname(bin)) === 'sbin' ? join(dirname(dirname(bin)), 'bin', tool) : join(dirname(bin), tool);
}

/** Where the packages keep a second copy of what they install into `/etc/dovecot`. */
const packagedCopies = '/usr/share/dovecot';

/**
 * Whether Dovecot's configuration is the distribution's own, untouched: on Debian its copies are compared, elsewhere the
 * package's own record is asked (rpm(8), --verify).
 */
export async function isPackaged({ host, roots }: DovecotPlace): Promise<boolean> {
	if (roots.etc !== systemEtc) return false;
	if ((await host.files.stat(join(packagedCopies, 'dovecot.conf'))) === undefined) return isVerifiedByRpm(host);
	if ((await host.files.stat(join(roots.etc, 'local.conf'))) !== undefined) return false;
	const names = (await host.files.list(join(roots.etc, 'conf.d'))).map((name) => join('conf.d', name));
	for (const name of ['dovecot.conf', ...names]) {
		const [live, copy] = [
			await host.files.readText(join(roots.etc, name)),
			await host.files.readText(join(packagedCopies, name))
		];
		if (live === undefined || live !== copy) return false;
	}
	return true;
}

async function isVerifiedByRpm(host: DovecotPlace['host']): Promise<boolean> {
	try {
		const { code } = await host.run('rpm', ['--verify', '--nomtime', 'dovecot'], { timeoutMs: 30_000, maxBytes: 4096 });
		return code === 0;
	} catch {
		return false;
	}
}
