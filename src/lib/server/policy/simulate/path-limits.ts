import { z } from 'zod';
import type { PathLimit, Simulation } from './inputs.ts';

/** The ready queue of one destination through one source, by KumoMTA's names. */
export interface AskedPath {
	domain: string;
	source: string;
}

/** A domain of a message may be anything; only names that DNS could know are asked about. */
const domainName = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)+$/;
const mostPaths = 200;

const keyOf = ({ domain, source }: AskedPath) => `${domain} ${source}`;

/** The part of a scheduled queue's name that is looked up in DNS: `campaign:tenant@domain!routing domain`. */
const destinationOf = (queue: string) =>
	queue.slice(Math.max(queue.lastIndexOf('@'), queue.lastIndexOf('!')) + 1).toLowerCase();

function pathsOf({ recipients }: Simulation): AskedPath[] {
	const paths = new Map<string, AskedPath>();
	for (const { message } of recipients) {
		if (message?.kind !== 'outbound') continue;
		for (const { kumomtaName: source, weight } of message.sources) {
			const path = { domain: destinationOf(message.queue), source };
			if (weight > 0 && domainName.test(path.domain)) paths.set(keyOf(path), path);
		}
	}
	return [...paths.values()].slice(0, mostPaths);
}

/** Asks for the limits of each path that the simulation takes, and says so where one stays unknown. */
export function withPathLimits(
	simulation: Simulation,
	ask: (domain: string, source: string) => Record<string, unknown> | undefined
): Simulation {
	const known = new Map<string, PathLimit[]>();
	for (const path of pathsOf(simulation)) {
		const config = ask(path.domain, path.source);
		if (config !== undefined) known.set(keyOf(path), limitsOf(config));
	}
	let isMissing = false;
	const recipients = simulation.recipients.map((recipient) => {
		const { message } = recipient;
		if (message?.kind !== 'outbound') return recipient;
		const domain = destinationOf(message.queue);
		const sources = message.sources.map((source) => {
			const pathLimits = known.get(keyOf({ domain, source: source.kumomtaName })) ?? null;
			if (pathLimits === null && source.weight > 0) isMissing = true;
			return { ...source, pathLimits };
		});
		return { ...recipient, message: { ...message, sources } };
	});
	const others = simulation.unknowns.filter(({ code }) => code !== 'path-limits');
	return { ...simulation, recipients, unknowns: isMissing ? [...others, missing] : others };
}

const missing = {
	code: 'path-limits',
	text: 'KumoMTA was asked for its limits on the way out, and does not say them for every destination: the rest is unknown.'
};

const limit = z.union([z.string().max(200), z.number()]).transform(String);
const namedLimits = z.record(z.string().max(200), limit).catch({});

/** What a message can be held up by (reference: kumo.make_egress_path). */
const single = ['connection_limit', 'max_connection_rate', 'max_deliveries_per_connection', 'max_message_rate'];
const several = [
	'additional_connection_limits',
	'additional_message_rate_throttles',
	'additional_source_selection_rates'
];

export function limitsOf(config: Record<string, unknown>): PathLimit[] {
	const limits: PathLimit[] = [];
	for (const name of single) {
		const { success, data } = limit.safeParse(config[name]);
		if (success) limits.push({ name, limit: data });
	}
	for (const group of several)
		for (const [name, value] of Object.entries(namedLimits.parse(config[group])).slice(0, 50))
			limits.push({ name, limit: value });
	return limits;
}
