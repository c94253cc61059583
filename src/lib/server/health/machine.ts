import type { App } from '../app.ts';
import { errnoOf } from '../host/file-errors.ts';
import type { Host } from '../host/host.ts';
import { defaultListeners } from '../policy/service.ts';
import { getSettings } from '../settings/service.ts';
import type { Check } from './check.ts';
import { judgeClock, judgeDisk, judgeFirewall, judgePorts, judgeUpdates, listeningIn } from './judge-machine.ts';
import type { Place, Said } from './judge-machine.ts';
import { judgeVersions } from './judge-versions.ts';
import { lookAtVersions, osRelease } from './versions.ts';

/** The machine below KumoMTA and the panel. */
export const machineChecks: Check[] = [
	{
		id: 'firewall',
		group: 'machine',
		title: 'Firewall',
		why: 'It closes what a program opens by mistake.',
		async look({ host }) {
			const [firewalld, ufw, nft] = await Promise.all([
				ask(host, 'firewall-cmd', ['--state']),
				ask(host, 'ufw', ['status']),
				ask(host, 'nft', ['list', 'ruleset'])
			]);
			return judgeFirewall({ firewalld, ufw, nft });
		}
	},
	{
		id: 'open-ports',
		group: 'machine',
		title: 'Ports that listen to the outside',
		why: 'Each of them is a way in. A database or a cache must never be one.',
		look: lookAtPorts
	},
	{
		id: 'clock',
		group: 'machine',
		title: 'Clock',
		why: 'Signatures, certificates, retries and logs all go by it; receivers mistrust mail from the future.',
		look: async ({ host }) =>
			judgeClock(await ask(host, 'timedatectl', ['show', '--property=NTP', '--property=NTPSynchronized']))
	},
	{
		id: 'disk',
		group: 'machine',
		title: 'Disk space',
		why: 'On a full disk KumoMTA takes no mail and the panel saves nothing.',
		look: lookAtDisk
	},
	{
		id: 'versions',
		group: 'machine',
		title: 'Versions',
		why: 'The policy needs what these versions can do; older ones get no security updates.',
		look: async (app) => judgeVersions(await lookAtVersions(app))
	},
	{
		id: 'updates',
		group: 'machine',
		title: 'Security updates',
		why: 'Most break-ins use a hole for which an update was there.',
		async look({ host }) {
			const { family } = await osRelease(host);
			const timers = await host.files.list('/etc/systemd/system/timers.target.wants');
			return judgeUpdates({
				apt: await host.files.readText('/etc/apt/apt.conf.d/20auto-upgrades'),
				hasDnfTimer: timers.some((name) => /^dnf-automatic(?:-install)?\.timer$/.test(name)),
				family,
				needsReboot: (await host.files.stat('/run/reboot-required')) !== undefined
			});
		}
	}
];

/** A program that asks for more rights ends with an error and says so, in one of many ways. */
async function ask(host: Host, program: string, args: string[]): Promise<Said> {
	try {
		const { code, stdout, stderr } = await host.run(program, args, { timeoutMs: 10_000, maxBytes: 2_000_000 });
		const isClosed = /not permitted|need to be root|must be root|Authorization failed|permission/i.test(
			stderr + stdout
		);
		return code !== 0 && isClosed ? { state: 'closed' } : { state: 'said', text: stdout };
	} catch (error) {
		if (errnoOf(error) === undefined) throw error;
		return { state: errnoOf(error) === 'EACCES' ? 'closed' : 'absent' };
	}
}

const usual = [22, 80, 443];

async function lookAtPorts({ host, env, db }: App) {
	const tables = ['/proc/self/net/tcp', '/proc/self/net/tcp6'];
	const texts = await Promise.all(tables.map((path) => host.files.readText(path)));
	const listeners = (await getSettings(db)).listeners ?? defaultListeners;
	const expected = new Set([...usual, env.imapPort, env.pop3Port, env.port, ...listeners.map(({ port }) => port)]);
	// KumoMTA's own API has a check of its own.
	expected.add(Number(new URL(env.kumodApi).port || 80));
	return judgePorts(
		texts.flatMap((text) => listeningIn(text ?? '')),
		expected
	);
}

async function lookAtDisk({ host, env, db }: App) {
	const { spool, logs } = await getSettings(db);
	const paths: Omit<Place, 'space'>[] = [
		{ name: 'the panel’s data', path: env.dataDir },
		{ name: 'the spool', path: spool.directory, minFreePercent: spool.minFreePercent },
		{ name: 'KumoMTA’s log', path: logs.directory },
		{ name: 'mailboxes', path: env.mailRoot },
		{ name: 'the policy', path: env.systemRoot }
	];
	return judgeDisk(await Promise.all(paths.map(async (place) => ({ ...place, space: await host.disk(place.path) }))));
}
