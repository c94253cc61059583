import type { Outputs } from '$lib/api';

export type Problem = Outputs['policy']['preview']['problems'][number];

/** What a check calls by another name than the form does. */
const fieldsOfForms: Record<string, Record<string, string>> = {
	node: { 'tls.name': 'tls', tlsName: 'tls', defaultPool: 'defaultPoolId', httpApiVerifier: 'httpApi' },
	domain: {
		'': 'dkim',
		name: 'remove',
		selector: 'dkim',
		algorithm: 'dkim',
		state: 'dkim',
		privateKeyHash: 'dkim',
		domainId: 'dkim'
	},
	sender: {
		'': 'remove',
		address: 'remove',
		tenant: 'remove',
		domainId: 'remove',
		limit: 'limits',
		verifier: 'password',
		status: 'poolId'
	},
	source: { '': 'name', kumoName: 'ehloDomain' },
	pool: { '': 'name', entries: 'sources' }
};

/** Where the field stands: a page, what has to be in its address, and the name of the field in its form. */
interface Place {
	page: string;
	field: string;
}

/** The page with the field that causes a problem, and that field: `$lib/ui/reach-field.ts` opens and focuses it. */
export function problemPlace({ scope, id, subject, field = '' }: Problem): Place {
	const renamed = fieldsOfForms[scope]?.[field] ?? fieldsOfForms[scope]?.[field.split('.')[0] ?? ''];
	const name = renamed ?? field;
	const found = `?search=${encodeURIComponent((subject ?? '').slice(0, 100))}`;
	if (scope === 'domain') return id ? { page: `/domains/${id}`, field: name } : { page: '/domains', field: '' };
	if (scope === 'sender') return id ? { page: `/senders/${id}`, field: name } : { page: '/senders', field: '' };
	if (scope === 'source') return { page: `/sources${found}${id ? `&edit=${id}` : ''}`, field: name };
	if (scope === 'pool') return { page: `/pools${found}${id ? `&edit=${id}` : ''}`, field: name };
	if (scope === 'bounce-account') return { page: `/bounces${found}`, field: '' };
	return { page: '/settings', field: name === '' ? 'hostname' : name };
}

export function problemLink(problem: Problem): string {
	const { page, field } = problemPlace(problem);
	return field === '' ? page : `${page}#field=${field}`;
}
