import { z } from 'zod';
import { emailAddress, hostName, itemId, seenVersion } from '../core/inputs.ts';
import { listInput, pageOf } from '../core/paging.ts';

export const listDomains = z.strictObject(listInput(['name', 'createdAt'])).prefault({});

/** So that `bounce.<name>` is a host name too: at most 253 octets with it. */
const nameLimit = 246;

const action = z.enum(['none', 'quarantine', 'reject']);

/** One or more e-mail addresses, separated by commas; `mailto:` may stand before each. */
const reportAddresses = z
	.string()
	.max(2000, 'At most 10 addresses.')
	.transform((text, context) => {
		const parts = text.split(',').map((each) => emailAddress.safeParse(each.trim().replace(/^mailto:/i, '')));
		if (parts.length > 10) context.addIssue({ code: 'custom', message: 'At most 10 addresses.' });
		if (!parts.every(({ success }) => success))
			context.addIssue({ code: 'custom', message: 'Write e-mail addresses, separated by commas.' });
		return parts.map(({ data }) => data ?? '').join(',');
	});

/** RFC 7489 section 6.3. Given, it replaces the whole policy. */
const dmarc = z.strictObject({
	policy: action,
	subdomainPolicy: action.nullable().optional(),
	percentage: z.int().min(0, 'From 0 to 100.').max(100, 'From 0 to 100.').optional(),
	aggregateReports: reportAddresses.nullable().optional(),
	failureReports: reportAddresses.nullable().optional(),
	strictDkim: z.boolean().optional(),
	strictSpf: z.boolean().optional()
});

const optional = {
	bounceHost: hostName().optional(),
	/** Whether MAIL FROM may be any address at the bounce host; VERP needs it. */
	acceptAnyReturnPath: z.boolean().optional(),
	/** Whether failures in delivery are reported to the bounce account that the message names as its return path. */
	reportFailures: z.boolean().optional(),
	/** Whether recipients on the domain's and the global suppression list are refused. */
	suppression: z.boolean().optional(),
	complaintAddress: emailAddress.nullable().optional(),
	dmarc: dmarc.optional()
};

export const createDomain = z.strictObject({ name: hostName(nameLimit), ...optional });

/** The name is not among them: addresses, tenants and keys are made of it. */
export const updateDomain = z.strictObject({ id: itemId, version: seenVersion, ...optional });

/** `confirm` is the domain's name, needed when senders, keys or bounce accounts go with it. */
export const removeDomain = z.strictObject({
	id: itemId,
	version: seenVersion,
	confirm: z.string().max(1000).optional()
});

const readiness = z.object({
	/** Whether the next policy holds this domain. */
	ready: z.boolean(),
	reasons: z.array(
		z.object({ code: z.enum(['no-dkim-key', 'dkim-key-pending', 'dkim-key-requested']), message: z.string() })
	)
});

export const domainItem = z.object({
	id: z.string(),
	name: z.string(),
	/** `name` in Unicode. */
	displayName: z.string(),
	bounceHost: z.string(),
	acceptAnyReturnPath: z.boolean(),
	reportFailures: z.boolean(),
	suppression: z.boolean(),
	complaintAddress: z.string().nullable(),
	dmarc: z.object({
		policy: action,
		subdomainPolicy: action.nullable(),
		percentage: z.int(),
		aggregateReports: z.string().nullable(),
		failureReports: z.string().nullable(),
		strictDkim: z.boolean(),
		strictSpf: z.boolean()
	}),
	readiness,
	senders: z.int(),
	keys: z.int(),
	activeKeys: z.int(),
	bounceAccounts: z.int(),
	createdAt: z.int(),
	version: z.int()
});

export const domainPage = pageOf(domainItem);
export const domainImpact = z.object({ senders: z.int(), keys: z.int(), bounceAccounts: z.int() });
