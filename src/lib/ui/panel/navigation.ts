import Ban from '@lucide/svelte/icons/ban';
import FileUp from '@lucide/svelte/icons/file-up';
import Globe from '@lucide/svelte/icons/globe';
import HeartPulse from '@lucide/svelte/icons/heart-pulse';
import House from '@lucide/svelte/icons/house';
import Inbox from '@lucide/svelte/icons/inbox';
import ListChecks from '@lucide/svelte/icons/list-checks';
import MailWarning from '@lucide/svelte/icons/mail-warning';
import Network from '@lucide/svelte/icons/network';
import Settings from '@lucide/svelte/icons/settings';
import Shield from '@lucide/svelte/icons/shield';
import UserRound from '@lucide/svelte/icons/user-round';
import type { IconComponent } from '../icon';

export interface Destination {
	label: string;
	href: string;
	icon: IconComponent;
	/** Whose number stands behind it. */
	count?: 'domains' | 'senders';
	/** Where it is current, when that is not only `href` and what lies below. */
	under?: string[];
}

export const groups: { title?: string; items: Destination[] }[] = [
	{ items: [{ label: 'Overview', href: '/', icon: House }] },
	{
		title: 'Identity',
		items: [
			{ label: 'Domains', href: '/domains', icon: Globe, count: 'domains' },
			{ label: 'Senders', href: '/senders', icon: UserRound, count: 'senders' },
			{ label: 'Sources and pools', href: '/sources', icon: Network, under: ['/sources', '/pools'] },
			{ label: 'Bounce accounts', href: '/bounces', icon: Inbox },
			{ label: 'Import', href: '/imports', icon: FileUp }
		]
	},
	{
		title: 'Deliverability',
		items: [
			{ label: 'Feedback', href: '/feedback', icon: MailWarning },
			{ label: 'Suppression list', href: '/suppression', icon: Ban }
		]
	},
	{
		title: 'Server',
		items: [
			{ label: 'Policy', href: '/policy/review', icon: Shield, under: ['/policy'] },
			{ label: 'Security and health', href: '/health', icon: HeartPulse },
			{ label: 'Audit', href: '/audit', icon: ListChecks },
			{ label: 'Settings', href: '/settings', icon: Settings }
		]
	}
];

export function isAt(destination: Destination, path: string): boolean {
	const bases = destination.under ?? [destination.href];
	return bases.some((base) => path === base || (base !== '/' && path.startsWith(`${base}/`)));
}

/** The entry that a path belongs to: its name is the crumb of a page that names none. */
export function destinationOf(path: string): Destination | undefined {
	return groups.flatMap((group) => group.items).find((item) => isAt(item, path));
}
