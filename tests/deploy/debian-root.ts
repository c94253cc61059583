import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * A Debian of its own below a directory, to run the installation in for real: its packages, users, files and nginx are
 * real. Recorded by a double are systemctl (which starts and stops the panel as its unit would, and nginx), certbot (a
 * self-made certificate) and kumod.
 */
export interface DebianRoot {
	path: string;
	/** Runs a command inside. @returns exit code and everything it printed. */
	run(command: string[], environment?: Record<string, string>): { code: number; output: string };
	/** A path inside, seen from outside. */
	at(path: string): string;
	/** Puts a double in front of the real command. */
	double(name: string, script: string): void;
	/** The calls of a double so far, one a line; forgets them. */
	calls(): string[];
	remove(): void;
}

const repository = resolve(import.meta.dirname, '../..');
const calls = '/var/log/recorded-calls';

/** Why there can be no such root here; undefined when there can. */
export function whyNoRoot(): string | undefined {
	if (process.getuid?.() !== 0) return 'only root can make a system of its own';
	if (!existsSync('/usr/bin/apt-get')) return 'this is no Debian';
	if (!existsSync('/usr/sbin/debootstrap')) installPackage('debootstrap');
	return existsSync('/usr/sbin/debootstrap') ? undefined : 'debootstrap cannot be installed';
}

export function installPackage(name: string): void {
	const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
	spawnSync('apt-get', ['update', '-qq'], { env, stdio: 'ignore', timeout: 300_000 });
	spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], {
		env,
		stdio: 'ignore',
		timeout: 300_000
	});
}

export function makeDebianRoot(path: string): DebianRoot {
	const { VERSION_CODENAME: suite = 'bookworm' } = osRelease();
	const made = spawnSync(
		'debootstrap',
		['--variant=minbase', '--include=ca-certificates,iproute2,procps', suite, path, 'http://deb.debian.org/debian'],
		{ encoding: 'utf8', timeout: 600_000 }
	);
	if (made.status !== 0) throw new Error(`debootstrap failed:\n${made.stdout.slice(-2000)}\n${made.stderr}`);
	for (const file of ['/etc/apt/apt.conf.d/99artifact-registry', '/etc/resolv.conf'])
		if (existsSync(file)) cpSync(file, join(path, file), { dereference: true });
	// A temporary directory is closed to others; inside it is `/`.
	chmodSync(path, 0o755);
	execFileSync('mount', ['-t', 'proc', 'proc', join(path, 'proc')]);
	execFileSync('mount', ['--bind', '/dev', join(path, 'dev')]);
	mkdirSync(join(path, 'run/systemd/system'), { recursive: true });
	const root: DebianRoot = {
		path,
		at: (inside) => join(path, inside),
		run(command, environment = {}) {
			const { status, stdout, stderr } = spawnSync('chroot', [path, ...command], {
				encoding: 'utf8',
				timeout: 600_000,
				maxBuffer: 64 * 1024 * 1024,
				env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', ...environment }
			});
			return { code: status ?? -1, output: `${stdout}${stderr}` };
		},
		double(name, script) {
			const file = join(path, 'usr/local/bin', name);
			writeFileSync(file, `#!/bin/sh\necho "${name} $*" >> ${calls}\n${script}\n`);
			chmodSync(file, 0o755);
		},
		calls() {
			const file = join(path, calls);
			if (!existsSync(file)) return [];
			const lines = readFileSync(file, 'utf8').trim().split('\n');
			rmSync(file);
			return lines;
		},
		remove() {
			root.run(['systemctl', 'stop', 'kumomta-ui.service']);
			root.run(['sh', '-c', '[ ! -s /run/nginx.pid ] || kill "$(cat /run/nginx.pid)"']);
			for (const mount of ['dev', 'proc']) spawnSync('umount', ['-l', join(path, mount)]);
			rmSync(path, { recursive: true, force: true });
		}
	};
	addDoubles(root);
	return root;
}

function addDoubles(root: DebianRoot): void {
	root.double(
		'systemctl',
		`case "$*" in
*"stop kumomta-ui.service" | *"disable --now --quiet kumomta-ui.service" | *"restart kumomta-ui.service")
	if [ -s /run/panel.pid ]; then
		kill "$(cat /run/panel.pid)" 2>/dev/null
		while kill -0 "$(cat /run/panel.pid)" 2>/dev/null; do /bin/sleep 0.05; done
		rm -f /run/panel.pid
	fi
	case "$*" in *restart*) ;; *) exit 0 ;; esac
	set -a
	. /etc/kumomta-ui/kumomta-ui.env
	set +a
	cd /opt/kumomta-ui/current || exit 1
	setpriv --reuid kumomta-ui --regid kumomta-ui --clear-groups bin/node --max-semi-space-size=1 build/server.js \\
		</dev/null >>/var/log/panel.log 2>&1 &
	echo $! >/run/panel.pid
	;;
*"reload-or-restart nginx")
	if [ -s /run/nginx.pid ] && kill -0 "$(cat /run/nginx.pid)" 2>/dev/null; then nginx -s reload; else nginx; fi
	;;
is-active*) exit 1 ;;
esac
exit 0`
	);
	root.double(
		'certbot',
		`[ ! -e /run/certbot-refuses ] || { echo 'Some challenges have failed.' >&2; exit 1; }
live=/etc/letsencrypt/live/mta.example.net
mkdir -p $live
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mta.example.net \\
	-keyout $live/privkey.pem -out $live/fullchain.pem 2>/dev/null`
	);
}

/** KumoMTA as its package leaves it, with a kumod that says its version only. */
export function addKumomta(root: DebianRoot, version = '2026.03.04'): void {
	for (const directory of ['sbin', 'share', 'etc/policy'])
		mkdirSync(root.at(`opt/kumomta/${directory}`), { recursive: true });
	writeFileSync(root.at('opt/kumomta/sbin/kumod'), `#!/bin/sh\necho "kumod ${version}-bb93ecb1"\n`);
	chmodSync(root.at('opt/kumomta/sbin/kumod'), 0o755);
	for (const file of ['share/minimal-init.lua', 'etc/policy/init.lua'])
		writeFileSync(root.at(`opt/kumomta/${file}`), '-- the packaged sample\n');
	root.run(['useradd', '--system', '--user-group', '--no-create-home', 'kumod']);
}

/** Makes the release archive of this tree and unpacks it inside. @returns the directory inside */
export function addRelease(root: DebianRoot): string {
	const made = spawnSync(process.execPath, [join(repository, 'scripts/release.mjs')], {
		cwd: repository,
		encoding: 'utf8',
		timeout: 600_000
	});
	if (made.status !== 0) throw new Error(`${made.stdout}\n${made.stderr}`);
	const archive = /^\/.*\.tar\.gz$/m.exec(made.stdout)?.[0] ?? '';
	mkdirSync(root.at('srv'), { recursive: true });
	execFileSync('tar', ['-xzf', archive, '-C', root.at('srv')]);
	const version = (JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string }).version;
	return `/srv/kumomta-ui-${version}`;
}

/** The same release under another version; `damage` may change its files before they are summed up. */
export function addVersion(
	root: DebianRoot,
	release: string,
	version: string,
	damage: (at: string) => void = () => {}
): string {
	const inside = `/srv/kumomta-ui-${version}`;
	rmSync(root.at(inside), { recursive: true, force: true });
	execFileSync('cp', ['-a', root.at(release), root.at(inside)]);
	writeFileSync(join(root.at(inside), 'VERSION'), `${version}\n`);
	damage(root.at(inside));
	execFileSync(
		'sh',
		['-c', 'find . -type f ! -path ./SHA256SUMS -printf "%P\\n" | sort | xargs -d "\\n" sha256sum > SHA256SUMS'],
		{
			cwd: root.at(inside)
		}
	);
	return inside;
}

function osRelease(): Record<string, string> {
	const lines = readFileSync('/etc/os-release', 'utf8').split('\n');
	return Object.fromEntries(lines.map((line) => line.replaceAll('"', '').split('=', 2) as [string, string]));
}
