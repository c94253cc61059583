import type { Outputs } from '$lib/api';

export type Problem = Outputs['policy']['preview']['problems'][number];

const settingSections: [field: RegExp, section: string][] = [
	[/^listeners/, 'listeners'],
	[/^relayHosts/, 'relay-hosts'],
	[/^(?:spool|logs|monitorGlobs)/, 'spool'],
	[/^(?:httpApi|resolvers)/, 'http-api'],
	[/./, 'hostname']
];

/** The page with the field that causes a problem. */
export function problemLink({ scope, id, field }: Problem): string {
	if (scope === 'domain' && id) return `/domains/${id}`;
	if (scope === 'sender' && id) return `/senders/${id}`;
	if (scope === 'source') return '/sources';
	if (scope === 'pool') return '/pools';
	if (scope === 'bounce-account') return '/domains';
	return `/settings#${settingSections.find(([pattern]) => pattern.test(field ?? 'hostname'))?.[1]}`;
}
