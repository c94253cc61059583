import { bytesText } from '../../shared/bytes.ts';
import { counted } from '../../shared/counted.ts';
import type { DiskSpace } from '../host/disk.ts';
import { failed, needsRoot, ok, unknown, warning } from './check.ts';
import type { Finding } from './check.ts';

/** What a program printed; `absent`: it is not installed. `closed`: it asks for more rights. */
export type Said = { state: 'said'; text: string } | { state: 'absent' | 'closed' };

export interface FirewallFacts {
	firewalld: Said;
	ufw: Said;
	nft: Said;
}

/** Chains that filter what comes in: nft(8), hook input. */
const filters = (ruleset: string) => /hook input/.test(ruleset) && /policy drop|\b(?:drop|reject)\b/.test(ruleset);

/** Only what this machine itself filters can be seen: not the provider's firewall before it. */
export function judgeFirewall({ firewalld, ufw, nft }: FirewallFacts): Finding {
	const active = [
		firewalld.state === 'said' && /^running/m.test(firewalld.text) && 'firewalld runs.',
		ufw.state === 'said' && /^Status: active/m.test(ufw.text) && 'ufw is active.',
		nft.state === 'said' && filters(nft.text) && 'nftables drops or rejects some of what comes in.'
	].filter((line) => line !== false);
	if (active.length > 0) return ok(active.join(' '));
	const all = [firewalld, ufw, nft];
	if (all.some(({ state }) => state === 'closed')) return needsRoot('firewall', 'The firewall');
	const before = 'A firewall of your provider, before this machine, cannot be seen from here.';
	if (all.every(({ state }) => state === 'absent'))
		return unknown(`None of firewalld, ufw and nft is installed. ${before}`, {
			mend: 'Make sure that only the ports of mail, of the web and of ssh can be reached.'
		});
	return warning(`No firewall of this machine filters what comes in. ${before}`, {
		mend: 'Open only the ports of ssh (22), mail (25, 587), the web (80, 443) and mailboxes (993, 995).',
		command: 'ufw allow 22/tcp && for port in 25 587 80 443 993 995; do ufw allow $port/tcp; done && ufw enable'
	});
}

export interface OpenPort {
	address: string;
	port: number;
}

/** Programs that nobody outside should ever speak to. */
const inner: Record<number, string> = {
	111: 'rpcbind',
	2049: 'NFS',
	2375: 'Docker’s API without TLS',
	3306: 'MySQL',
	5432: 'PostgreSQL',
	6379: 'Redis',
	8008: 'KumoMTA’s traffic shaping daemon',
	9200: 'Elasticsearch',
	11211: 'memcached',
	27017: 'MongoDB'
};

/** @param expected ports that belong to this server's work. */
export function judgePorts(open: OpenPort[], expected: ReadonlySet<number>): Finding {
	const line = ({ address, port }: OpenPort) => `${address} port ${port}${inner[port] ? `: ${inner[port]}` : ''}`;
	const bad = open.filter(({ port }) => inner[port] !== undefined && !expected.has(port));
	const others = open.filter(({ port }) => inner[port] === undefined && !expected.has(port));
	const details = [...bad, ...others].map(line);
	if (bad.length > 0)
		return warning(`${counted(bad.length, 'port')} of programs meant for this machine alone listen to everybody.`, {
			mend: 'Let each listen on 127.0.0.1 only, or close its port in the firewall.',
			command: 'ss -tlnp',
			details
		});
	if (others.length > 0)
		return ok(
			`Beside mail, web and ssh, ${counted(others.length, 'port')} can be reached where no firewall closes it.`,
			{
				details
			}
		);
	return ok('Nothing but the ports of mail, web, mailboxes and ssh listens to the outside.');
}

/** Sockets in state LISTEN that others can reach: /proc/net/tcp and tcp6 (proc(5)). */
export function listeningIn(table: string): OpenPort[] {
	const found = new Map<string, OpenPort>();
	for (const row of table.split('\n')) {
		const [, hex = '', port = ''] = /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ 0A /.exec(row) ?? [];
		if (hex === '' || isLoopbackHex(hex)) continue;
		const address = /^0+$/.test(hex)
			? hex.length === 8
				? '0.0.0.0'
				: '::'
			: hex.length === 8
				? dotted(hex)
				: 'an IPv6 address';
		found.set(`${address} ${port}`, { address, port: parseInt(port, 16) });
	}
	return [...found.values()].sort((a, b) => a.port - b.port);
}

/** Bytes stand in the machine's order: little-endian, in groups of four. */
const isLoopbackHex = (hex: string) =>
	hex.length === 8
		? hex.endsWith('7F')
		: hex === '00000000000000000000000001000000' || /^0{16}FFFF0000\w{6}7F$/.test(hex);
const dotted = (hex: string) => [6, 4, 2, 0].map((at) => parseInt(hex.slice(at, at + 2), 16)).join('.');

/** @param said `timedatectl show`, lines `Name=value`. */
export function judgeClock(said: Said): Finding {
	const synchronized = said.state === 'said' ? /^NTPSynchronized=(yes|no)$/m.exec(said.text)?.[1] : undefined;
	if (synchronized === 'yes') return ok('The clock follows a time server.');
	const mend = 'Switch the time service of the system on.';
	const command = 'timedatectl set-ntp true';
	if (synchronized === 'no')
		return warning('The clock follows no time server; how far off it is is not known.', { mend, command });
	return unknown('This system does not say whether its clock follows a time server.', {
		mend: 'Compare it with another clock, and see that chrony or systemd-timesyncd runs.',
		command: 'timedatectl; date --utc'
	});
}

export interface Place {
	name: string;
	path: string;
	/** Undefined: it is not there. */
	space: DiskSpace | undefined;
	/** KumoMTA refuses mail below this share of free space, in percent. */
	minFreePercent?: number;
}

const mebibyte = 1024 * 1024;

/** Full means that something stops; tight, that it will. */
export function judgeDisk(places: Place[]): Finding {
	const there = places.flatMap(({ space, ...place }) => (space === undefined ? [] : [{ ...place, ...space }]));
	if (there.length === 0) return unknown('How much space is free could not be read.');
	const percent = ({ freeBytes, totalBytes }: DiskSpace) => (totalBytes === 0 ? 100 : (100 * freeBytes) / totalBytes);
	const details = there.map(
		(place) =>
			`${place.name} (${place.path}): ${bytesText(place.freeBytes)} of ${bytesText(place.totalBytes)} free, ${Math.floor(percent(place))} %.`
	);
	const mend = 'Make room, or move the directory to a larger disk.';
	const command = `df -h ${[...new Set(there.map(({ path }) => path))].join(' ')}`;
	const full = there.filter(
		(place) =>
			percent(place) < Math.max(5, place.minFreePercent ?? 0) ||
			place.freeBytes < 512 * mebibyte ||
			place.freeFilesShare < 0.05
	);
	if (full.length > 0) {
		const names = full.map(({ name }) => name).join(', ');
		const refuses = full.some((place) => percent(place) < (place.minFreePercent ?? 0));
		const effect = refuses ? ' KumoMTA refuses new mail until there is room.' : '';
		return failed(`There is almost no room left for: ${names}.${effect}`, { mend, command, details });
	}
	const tight = there.filter((place) => percent(place) < Math.max(15, (place.minFreePercent ?? 0) + 5));
	if (tight.length > 0)
		return warning(`Room is getting short for: ${tight.map(({ name }) => name).join(', ')}.`, {
			mend,
			command,
			details
		});
	return ok('There is room on every disk that the panel and KumoMTA use.', { details });
}

export interface UpdateFacts {
	/** `/etc/apt/apt.conf.d/20auto-upgrades`; undefined where there is none. */
	apt: string | undefined;
	hasDnfTimer: boolean;
	family: 'debian' | 'redhat' | 'other';
	needsReboot: boolean;
}

export function judgeUpdates({ apt, hasDnfTimer, family, needsReboot }: UpdateFacts): Finding {
	if (needsReboot)
		return warning('An update waits for a restart of the machine.', {
			mend: 'Restart it at a quiet hour: KumoMTA keeps its queue in the spool.',
			command: 'systemctl reboot'
		});
	const isAutomatic = hasDnfTimer || /^\s*APT::Periodic::Unattended-Upgrade\s+"(?!0")/m.test(apt ?? '');
	if (isAutomatic) return ok('The system installs security updates by itself.');
	if (family === 'other') return unknown('How this system is kept up to date is not known to the panel.');
	return warning('Security updates of the system are not installed by themselves.', {
		mend: 'Switch them on, or install updates by hand every week.',
		command:
			family === 'debian'
				? 'apt install unattended-upgrades && dpkg-reconfigure -plow unattended-upgrades'
				: 'dnf install dnf-automatic && systemctl enable --now dnf-automatic-install.timer'
	});
}
