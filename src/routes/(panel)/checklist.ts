import type { Step } from '$lib/ui/step';

export interface Progress {
	hostname: string | null;
	sources: number;
	pools: number;
	domains: number;
	senders: number;
	/** The domain that was added first, when there is one. */
	domain: { id: string; displayName: string; keys: number; activeKeys: number } | null;
	liveRevision: number | null;
	isDirty: boolean;
	/** Records of that domain that are visible, of how many; null while DNS is being asked or can't be. */
	dns: { right: number; of: number } | null;
}

export interface CheckStep extends Step {
	/** What the button says. */
	action: string;
	href: string;
}

/** From an empty server to mail, in the order in which one step makes the next possible. */
export function checklist(progress: Progress): CheckStep[] {
	const makers = [hostname, source, pool, domain, dkim, dns, sender, applied];
	const steps = makers.map((make) => make(progress));
	const next = steps.find(({ status }) => status === 'waiting');
	if (next) next.status = 'next';
	return steps;
}

export function isReady(steps: Step[]): boolean {
	return steps.every((step) => step.status === 'ok');
}

function step(
	isDone: boolean,
	title: string,
	[done, todo]: [string, string],
	to: { href: string; action: string }
): CheckStep {
	return { title, status: isDone ? 'ok' : 'waiting', detail: isDone ? done : todo, ...to };
}

function hostname({ hostname: name }: Progress): CheckStep {
	return step(
		name !== null,
		'Host name',
		[
			`This server greets as ${name}.`,
			'The name this server greets other servers with. It should resolve to this machine and back.'
		],
		{ href: '/settings#hostname', action: 'Set the host name' }
	);
}

function source({ sources }: Progress): CheckStep {
	return step(
		sources > 0,
		'Source',
		[
			`${counted(sources, 'IP address sends', 'IP addresses send')} mail.`,
			'An IP address of this server that mail goes out from.'
		],
		{ href: '/sources?new', action: 'Add a source' }
	);
}

function pool({ pools }: Progress): CheckStep {
	return step(
		pools > 0,
		'Pool',
		[
			`${counted(pools, 'pool shares', 'pools share')} the mail out between sources.`,
			'A named group of sources; each sender uses one.'
		],
		{ href: '/pools?new', action: 'Add a pool' }
	);
}

function domain({ domains, domain: first }: Progress): CheckStep {
	const more = domains > 1 ? ` and ${domains - 1} more` : '';
	return step(
		first !== null,
		'Domain',
		[`${first?.displayName}${more} may be sent from.`, 'The domain behind the @ of the addresses that you send from.'],
		{ href: '/domains?new', action: 'Add a domain' }
	);
}

function dkim({ domain: first }: Progress): CheckStep {
	const waits = first !== null && first.keys > 0 && first.activeKeys === 0;
	const todo = waits
		? `A key of ${first.displayName} is made and does not sign yet. Publish its record, then activate it.`
		: 'The key that signs your mail, so that mailbox providers can tell it from forgeries.';
	return step(
		(first?.activeKeys ?? 0) > 0,
		'DKIM key',
		[`Mail from ${first?.displayName} is signed.`, todo],
		place(first, 'dkim', waits ? 'Activate the key' : 'Make a key')
	);
}

function dns({ domain: first, dns: found }: Progress): CheckStep {
	const isDone = found !== null && found.of > 0 && found.right === found.of;
	const todo =
		first === null || found === null
			? 'The records that tell the world that this server may send for the domain.'
			: `${found.right} of ${found.of} records of ${first.displayName} are visible. Publish the others where its DNS is kept.`;
	return step(
		isDone,
		'DNS published',
		[`All ${found?.of} records of ${first?.displayName} are visible.`, todo],
		place(first, 'dns', 'See the records')
	);
}

function sender({ senders }: Progress): CheckStep {
	return step(
		senders > 0,
		'Sender',
		[
			`${counted(senders, 'sender may', 'senders may')} hand in mail.`,
			'An address with a password that your software signs in with to send.'
		],
		{ href: '/senders?new', action: 'Add a sender' }
	);
}

function applied({ liveRevision, isDirty }: Progress): CheckStep {
	const todo =
		liveRevision === null
			? 'KumoMTA does not use any of this yet. Review it, then apply it.'
			: `Revision ${liveRevision} is live, but there are newer changes. Review and apply them.`;
	return step(liveRevision !== null && !isDirty, 'Applied', [`Revision ${liveRevision} is live.`, todo], {
		href: '/policy/review',
		action: 'Review and apply'
	});
}

function place(first: Progress['domain'], part: string, action: string) {
	return first === null
		? { href: '/domains?new', action: 'Add a domain' }
		: { href: `/domains/${first.id}#${part}`, action };
}

function counted(count: number, one: string, many: string): string {
	return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
