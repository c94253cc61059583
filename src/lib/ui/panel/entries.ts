import CircleUser from '@lucide/svelte/icons/circle-user';
import Globe from '@lucide/svelte/icons/globe';
import Plus from '@lucide/svelte/icons/plus';
import Shield from '@lucide/svelte/icons/shield';
import UserRound from '@lucide/svelte/icons/user-round';
import { api } from '$lib/api';
import type { IconComponent } from '../icon';
import { groups } from './navigation';

export interface Entry {
	label: string;
	kind: string;
	href: string;
	icon: IconComponent;
}

const own: Entry[] = [
	...groups.flatMap(({ items }) => items.map(({ label, href, icon }) => ({ label, href, icon, kind: 'Page' }))),
	{ label: 'Password and sessions', href: '/account', icon: CircleUser, kind: 'Page' },
	{ label: 'Revisions', href: '/policy/revisions', icon: Shield, kind: 'Page' },
	{ label: 'Add a domain', href: '/domains?new', icon: Plus, kind: 'Action' },
	{ label: 'Add a sender', href: '/senders?new', icon: Plus, kind: 'Action' },
	{ label: 'Add a bounce account', href: '/bounces?new', icon: Plus, kind: 'Action' },
	{ label: 'Add a source', href: '/sources?new', icon: Plus, kind: 'Action' },
	{ label: 'Add a pool', href: '/pools?new', icon: Plus, kind: 'Action' }
];

/** Pages and actions whose name holds every word of the text. */
export function ownEntries(text: string): Entry[] {
	const words = text.toLowerCase().split(/\s+/).filter(Boolean);
	return own.filter(({ label }) => words.every((word) => label.toLowerCase().includes(word)));
}

/** Domains and senders on the server; when it can't be asked, the pages are still there to choose from. */
export async function findEntries(search: string): Promise<Entry[]> {
	const [domains, senders] = await Promise.allSettled([
		api.domains.list.query({ search, limit: 6 }),
		api.senders.list.query({ search, limit: 6 })
	]);
	return [
		...(domains.status === 'fulfilled' ? domains.value.items : []).map((domain) => ({
			label: domain.displayName,
			kind: 'Domain',
			href: `/domains/${domain.id}`,
			icon: Globe
		})),
		...(senders.status === 'fulfilled' ? senders.value.items : []).map((sender) => ({
			label: sender.displayName,
			kind: 'Sender',
			href: `/senders/${sender.id}`,
			icon: UserRound
		}))
	];
}
