import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addKumomta, addRelease, addVersion, makeDebianRoot, whyNoRoot } from './debian-root.ts';
import type { DebianRoot } from './debian-root.ts';

/** The installation, run for real in a Debian of its own; what is a double there stands in debian-root.ts. */
const reason = whyNoRoot() ?? whyNoPorts();
const domain = 'mta.example.net';
const usual = ['--domain', domain, '--email', 'postmaster@example.net'];
let root: DebianRoot;
let release: string;

/** It listens where a server listens: 9000, and nginx on 80 and 443. */
function whyNoPorts(): string | undefined {
	const held = [80, 443, 9000].filter((port) => {
		const { stdout } = spawnSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' });
		return stdout.trim() !== '';
	});
	return held.length === 0 ? undefined : `the ports ${held.join(', ')} are in use`;
}

const script = (name: string, options: string[] = [], from = release) =>
	root.run([`${from}/deploy/${name}.sh`, ...options]);

/** `mode owner:group` of a path inside. */
const access = (path: string) => root.run(['stat', '-c', '%a %U:%G', path]).output.trim();

/** Every path below what an installation may touch, with mode, owner, size and time of change. */
const everything = () =>
	root.run([
		'find',
		'/etc',
		'/opt',
		'/usr/local',
		'/var/lib/kumomta-ui',
		'/var/backups',
		'/var/www',
		'-printf',
		'%p %m %u %g %s %T@ %l\n'
	]).output;

/** The files that an installation itself writes, with the time of their last change. */
const placed = () =>
	root.run([
		'find',
		'/etc/kumomta-ui',
		'/etc/systemd/system',
		'/etc/nginx/conf.d',
		'/opt/kumomta-ui/releases',
		'/usr/local/bin',
		'-type',
		'f',
		'-printf',
		'%p %m %u %g %s %T@\n'
	]).output;

function page(path: string): { status: string; head: string } {
	const { stdout } = spawnSync(
		'curl',
		[
			'-sk',
			'--http1.1',
			'-D',
			'-',
			'-o',
			'/dev/null',
			'--resolve',
			`${domain}:443:127.0.0.1`,
			`https://${domain}${path}`
		],
		{ encoding: 'utf8' }
	);
	return { status: stdout.split(' ')[1] ?? '', head: stdout };
}

describe.skipIf(reason !== undefined)('the installation on Debian', () => {
	beforeAll(() => {
		root = makeDebianRoot(mkdtempSync(join(tmpdir(), 'kumomta-ui-debian-')));
		release = addRelease(root);
		addKumomta(root);
	}, 1_200_000);
	afterAll(() => root?.remove());

	describe('before anything is changed', () => {
		it.each([
			['an unknown option', ['--no-such'], 2, 'There is no option --no-such'],
			['a host name without a domain', ['--domain', 'mta', '--email', 'a@b.example'], 2, 'not a host name'],
			[
				'a host name that would be code',
				['--domain', 'a.example;reboot', '--email', 'a@b.example'],
				2,
				'not a host name'
			],
			['no address', ['--domain', domain], 2, "address for Let's Encrypt is missing"],
			['a wrong address', ['--domain', domain, '--email', 'nobody'], 2, 'not an e-mail address'],
			['an option without its value', ['--email'], 2, 'needs a value']
		])('refuses %s', (_, options, code, words) => {
			const before = everything();
			const said = script('install', options);
			expect(said).toMatchObject({ code, output: expect.stringContaining(words) as string });
			expect(everything()).toBe(before);
		});

		it('refuses somebody who is not root', () => {
			const said = root.run(['setpriv', '--reuid', '65534', `${release}/deploy/install.sh`, ...usual]);
			expect(said).toMatchObject({ code: 2, output: expect.stringContaining('must run as root') as string });
		});

		it('refuses a system that nobody tried it on', () => {
			const real = readFileSync(root.at('/usr/lib/os-release'));
			writeFileSync(root.at('/usr/lib/os-release'), 'ID=gentoo\nVERSION_ID=2\n');
			const said = script('install', usual);
			writeFileSync(root.at('/usr/lib/os-release'), real);
			expect(said).toMatchObject({ code: 2, output: expect.stringContaining('gentoo 2 is not one of') as string });
		});

		it('refuses a damaged release', () => {
			const damaged = addVersion(root, release, '0.0.1-damaged');
			writeFileSync(join(root.at(damaged), 'build/server.js'), 'other');
			const said = script('install', usual, damaged);
			expect(said).toMatchObject({ code: 3, output: expect.stringContaining('damaged or missing') as string });
			rmSync(root.at(damaged), { recursive: true });
		});

		it('refuses a port that another mail server holds, and names it', async () => {
			execFileSync('cp', [root.at(`${release}/bin/node`), root.at('/usr/local/bin/master')]);
			const listener = "require('net').createServer().listen(587,'127.0.0.1',()=>console.log('up'))";
			const other = spawn('chroot', [root.path, '/usr/local/bin/master', '-e', listener], {
				stdio: ['ignore', 'pipe', 'ignore']
			});
			await new Promise((done) => other.stdout.once('data', done));
			const said = script('install', usual);
			other.kill('SIGKILL');
			expect(said).toMatchObject({ code: 3, output: expect.stringContaining('Port 587 is held by master') as string });
		});

		it('only says what it would do with --dry-run', () => {
			const before = everything();
			const said = script('install', [...usual, '--dry-run']);
			expect(said.code, said.output).toBe(0);
			expect(said.output).toContain('would run: env DEBIAN_FRONTEND=noninteractive apt-get update');
			expect(said.output).toContain('would write: /etc/kumomta-ui/kumomta-ui.env (640 root:kumomta-ui)');
			expect(everything()).toBe(before);
		});
	});

	describe('for real', () => {
		it('stops where KumoMTA is too old, and says from which version on', () => {
			addKumomta(root, '2025.01.01');
			const said = script('install', usual);
			addKumomta(root);
			expect(said.code).toBe(3);
			expect(said.output).toContain('KumoMTA 2025.01.01 is too old: the panel needs 2026.03.04 or newer');
		});

		it('stops where no certificate is given, and goes on from there', () => {
			writeFileSync(root.at('/run/certbot-refuses'), '');
			const said = script('install', usual);
			rmSync(root.at('/run/certbot-refuses'));
			expect(said.code, said.output).toBe(3);
			expect(said.output).toContain(`gave no certificate for ${domain}`);
			expect(said.output).toContain('run this again');
			expect(spawnSync('curl', ['-fsS', 'http://127.0.0.1:9000/healthz']).status, 'the panel runs already').toBe(0);
		});

		it('installs', () => {
			const said = script('install', usual);
			expect(said.code, said.output).toBe(0);
			expect(said.output).toContain(`Open https://${domain}`);
			expect(said.output).toContain('/var/lib/kumomta-ui/setup-code');
		});

		it.each([
			['/opt/kumomta-ui/current/build/server.js', '644 root:root'],
			['/etc/kumomta-ui', '750 root:kumomta-ui'],
			['/etc/kumomta-ui/kumomta-ui.env', '640 root:kumomta-ui'],
			['/etc/kumomta-ui/backup-passphrase', '600 root:root'],
			['/var/lib/kumomta-ui', '700 kumomta-ui:kumomta-ui'],
			['/var/lib/kumomta-ui/panel.db', '600 kumomta-ui:kumomta-ui'],
			['/var/backups/kumomta-ui', '700 root:root'],
			['/opt/kumomta/etc', '750 root:kumod'],
			['/opt/kumomta/etc/policy/init.lua', '640 root:kumod'],
			['/opt/kumomta/etc/dkim', '750 root:kumod'],
			[`/opt/kumomta/etc/tls/${domain}/privkey.pem`, '640 root:kumod'],
			['/etc/systemd/system/kumomta-ui.service', '644 root:root']
		])('gives %s the access %s', (path, wanted) => expect(access(path)).toBe(wanted));

		it('keeps the panel out of the group that may read the policy', () => {
			expect(root.run(['id', '-nG', 'kumomta-ui']).output.trim()).toBe('kumomta-ui');
			const look = root.run([
				'setpriv',
				'--reuid',
				'kumomta-ui',
				'--regid',
				'kumomta-ui',
				'--clear-groups',
				'cat',
				'/opt/kumomta/etc/policy/init.lua'
			]);
			expect(look.output).toContain('Permission denied');
		});

		it('opens the log directory to the panel by an ACL, and nothing else', () => {
			expect(root.run(['getfacl', '-p', '/var/log/kumomta']).output).toContain('user:kumomta-ui:r-x');
		});

		it('serves the panel through nginx with TLS', () => {
			const { status, head } = page('/login');
			expect(status).toBe('200');
			expect(head.toLowerCase()).toContain('strict-transport-security: max-age=31536000');
		});

		it('runs the command line with the rights of the panel', () => {
			const said = root.run(['/usr/local/bin/kumomta-ui', 'users', 'list']);
			expect(said.code, said.output).toBe(0);
			expect(root.run(['find', '/var/lib/kumomta-ui', '!', '-user', 'kumomta-ui']).output).toBe('');
		});

		it('changes nothing when it is run again', () => {
			root.calls();
			const before = placed();
			const said = script('install', usual);
			expect(said.code, said.output).toBe(0);
			expect(placed()).toBe(before);
			expect(
				root.calls().some((line) => line.startsWith('certbot')),
				'asks for no second certificate'
			).toBe(false);
		});
	});

	describe('an upgrade', () => {
		const versionRunning = () => root.run(['readlink', '/opt/kumomta-ui/current']).output.trim();
		const accounts = () => root.run(['/usr/local/bin/kumomta-ui', 'users', 'list']).output;

		it('goes back by itself when the new version does not answer, with the data from before', () => {
			const before = versionRunning();
			const listed = accounts();
			const broken = addVersion(root, release, '0.2.0-broken', (at) =>
				writeFileSync(
					join(at, 'build/server.js'),
					"import { appendFileSync } from 'node:fs'; appendFileSync(process.env.DATA_DIR + '/panel.db', 'spoiled'); process.exit(1);"
				)
			);
			// The wait for an answer passes at once.
			root.double('sleep', 'exit 0');
			const said = script('upgrade', [], broken);
			rmSync(root.at('/usr/local/bin/sleep'));
			expect(said.code, said.output).toBe(3);
			expect(said.output).toContain('runs again with the data from before');
			expect(versionRunning()).toBe(before);
			expect(existsSync(root.at('/var/lib/kumomta-ui-upgrade'))).toBe(false);
			expect(waitForHealth(), 'the former version answers').toBe(true);
			expect(accounts()).toBe(listed);
			expect(access('/var/lib/kumomta-ui/panel.db')).toBe('600 kumomta-ui:kumomta-ui');
		});

		it.each(['stop kumomta-ui.service', 'daemon-reload', 'restart kumomta-ui.service'])(
			'killed at "systemctl %s" it can go back, and forward',
			(moment) => {
				const before = versionRunning();
				const next = addVersion(root, release, '0.3.0');
				execFileSync('cp', [root.at('/usr/local/bin/systemctl'), root.at('/usr/local/bin/systemctl-real')]);
				root.double(
					'systemctl',
					`if [ -e /run/kill-once ]; then case "$*" in *"${moment}") rm /run/kill-once; pkill -KILL -f deploy/upgrade.sh ;; esac; fi
exec systemctl-real "$@"`
				);
				writeFileSync(root.at('/run/kill-once'), '');
				const killed = script('upgrade', [], next);
				execFileSync('mv', [root.at('/usr/local/bin/systemctl-real'), root.at('/usr/local/bin/systemctl')]);
				expect(killed.code, 'was killed').not.toBe(0);
				expect(existsSync(root.at('/run/kill-once')), 'the moment came').toBe(false);
				const back = script('upgrade', ['--back'], next);
				if (moment === 'stop kumomta-ui.service') {
					expect(back.output).toContain('nothing to go back from');
					root.run(['systemctl', 'restart', 'kumomta-ui.service']);
				} else expect(back.code, back.output).toBe(0);
				expect(versionRunning()).toBe(before);
				expect(waitForHealth(), 'the old version answers').toBe(true);
			}
		);

		it('changes to the new version and keeps the former one', () => {
			const next = addVersion(root, release, '0.4.0');
			const said = script('upgrade', [], next);
			expect(said.code, said.output).toBe(0);
			expect(versionRunning()).toBe('releases/0.4.0');
			expect(root.run(['ls', '/opt/kumomta-ui/releases']).output.trim().split('\n')).toHaveLength(2);
			expect(root.run(['ls', '/var/backups/kumomta-ui']).output).toContain('.backup');
			expect(page('/login').status).toBe('200');
		});

		it('says so when there is nothing to do', () => {
			expect(script('upgrade', [], '/srv/kumomta-ui-0.4.0').output).toContain('is what is installed');
		});
	});

	describe('the removal', () => {
		it('asks for the name of the host before data goes', () => {
			expect(script('uninstall', ['--purge', 'another']).code).toBe(2);
			expect(existsSync(root.at('/var/lib/kumomta-ui/panel.db'))).toBe(true);
		});

		it('does not claim to put back what was never there', () => {
			const said = script('uninstall', ['--restore-init']);
			expect(said.code).toBe(3);
			expect(existsSync(root.at('/opt/kumomta-ui/current'))).toBe(true);
		});

		it('takes away what was made and keeps data, keys and mail', () => {
			writeFileSync(root.at('/opt/kumomta/etc/policy/init.lua.before-kumomta-ui'), '-- theirs\n');
			const said = script('uninstall', ['--restore-init']);
			expect(said.code, said.output).toBe(0);
			expect(readFileSync(root.at('/opt/kumomta/etc/policy/init.lua'), 'utf8')).toBe('-- theirs\n');
			expect(access('/opt/kumomta/etc/policy/init.lua')).toBe('640 root:kumod');
			for (const path of ['/opt/kumomta-ui', '/usr/local/bin/kumomta-ui', '/etc/systemd/system/kumomta-ui.service'])
				expect(existsSync(root.at(path)), path).toBe(false);
			for (const path of ['/var/lib/kumomta-ui/panel.db', '/etc/kumomta-ui/backup-passphrase', '/opt/kumomta/etc/dkim'])
				expect(existsSync(root.at(path)), path).toBe(true);
		});

		it('with --purge leaves backups and KumoMTA', () => {
			const host = root.run(['hostname']).output.trim();
			expect(script('uninstall', ['--purge', host]).code).toBe(0);
			expect(existsSync(root.at('/var/lib/kumomta-ui'))).toBe(false);
			expect(existsSync(root.at('/var/backups/kumomta-ui'))).toBe(true);
			expect(root.run(['id', 'kumomta-ui']).code).not.toBe(0);
		});
	});

	/** The same script where packages, SELinux and firewalld answer as recorded: Rocky itself was not tried. */
	describe('the installation on Rocky, with recorded packages', () => {
		it('asks for the packages, SELinux labels and ports of that system', () => {
			writeFileSync(root.at('/usr/lib/os-release'), 'ID=rocky\nVERSION_ID=9.4\n');
			for (const name of ['dnf', 'setsebool', 'restorecon', 'firewall-cmd']) root.double(name, 'exit 0');
			root.double('getenforce', 'echo Enforcing');
			root.calls();
			const said = script('install', usual);
			expect(said.code, said.output).toBe(0);
			const calls = root.calls();
			expect(calls).toContain('dnf install -y -q epel-release');
			expect(calls.some((line) => line.startsWith('dnf install -y -q nginx') && line.includes('dovecot'))).toBe(true);
			expect(calls).toContain('setsebool -P httpd_can_network_connect on');
			expect(calls.some((line) => line.startsWith('restorecon -RF /opt/kumomta-ui'))).toBe(true);
			for (const port of [25, 587, 80, 443, 993, 995])
				expect(calls).toContain(`firewall-cmd -q --permanent --add-port=${port}/tcp`);
			expect(calls).toContain('firewall-cmd -q --reload');
		});
	});

	function waitForHealth(): boolean {
		return (
			spawnSync('curl', [
				'-fsS',
				'--retry',
				'50',
				'--retry-delay',
				'0',
				'--retry-all-errors',
				'--retry-max-time',
				'20',
				'-o',
				'/dev/null',
				'http://127.0.0.1:9000/healthz'
			]).status === 0
		);
	}
});

describe('the shell scripts', () => {
	const deploy = resolve(import.meta.dirname, '../../deploy');
	it.skipIf(!existsSync('/usr/bin/shellcheck'))('pass shellcheck', () => {
		const files = ['install.sh', 'upgrade.sh', 'uninstall.sh', 'steps.sh', 'certificate-hook.sh'];
		const { status, stdout } = spawnSync('shellcheck', ['-x', '-P', resolve(deploy, '..'), ...files], {
			cwd: deploy,
			encoding: 'utf8'
		});
		expect(stdout).toBe('');
		expect(status).toBe(0);
	});
});
