import type { App } from '../app.ts';

export const outcomes = ['failed', 'warning', 'unknown', 'ok'] as const;
export type Outcome = (typeof outcomes)[number];

/** What to do about a finding. */
export interface Mend {
	/** One or two sentences. */
	text: string;
	/** To be typed at the server, as root. */
	command: string | null;
	/** A page of the panel, with the field: `/settings#field=hostname`. */
	href: string | null;
}

/** What a check found. No value of a secret ever stands in it. */
export interface Finding {
	outcome: Outcome;
	/** What is true now, in a sentence. */
	found: string;
	/** One line for each thing looked at, where there are several. */
	details: string[];
	/** Null when there is nothing to do. */
	mend: Mend | null;
	/** What would have to be looked at is closed to this process. */
	isClosed?: true;
}

export const groups = ['panel', 'machine', 'files', 'kumomta', 'mail', 'backup'] as const;
export type Group = (typeof groups)[number];

/** One question that the server is asked. */
export interface Check {
	/** Permanent and kebab-case: stored, and named on the command line. */
	id: string;
	group: Group;
	title: string;
	/** Why it matters, in a sentence or two. */
	why: string;
	/** Sends questions to strangers: runs only when it is asked for. */
	isAsked?: boolean;
	look(app: App): Promise<Finding>;
}

const maxDetails = 40;

/** `details` past the fortieth are counted instead of shown. */
function finding(outcome: Outcome, found: string, rest: Rest): Finding {
	const { details = [], mend, command = null, href = null } = rest;
	const shown = details.slice(0, maxDetails);
	if (details.length > maxDetails) shown.push(`… and ${details.length - maxDetails} more.`);
	return { outcome, found, details: shown, mend: mend === undefined ? null : { text: mend, command, href } };
}

interface Rest {
	details?: string[];
	mend?: string;
	command?: string | null;
	href?: string | null;
}

/** To mend something is what failing and warning findings are for. */
type Bad = Rest & { mend: string };

export const ok = (found: string, rest: Rest = {}) => finding('ok', found, rest);
export const warning = (found: string, rest: Bad) => finding('warning', found, rest);
export const failed = (found: string, rest: Bad) => finding('failed', found, rest);
export const unknown = (found: string, rest: Rest = {}) => finding('unknown', found, rest);

/** What is closed to the panel is open to root: the same checks from the command line see it. */
export const needsRoot = (id: string, what: string): Finding => ({
	...unknown(`${what} cannot be seen with the panel’s rights.`, {
		mend: 'Run this check as root. What it finds stays on this page for a week.',
		command: `sudo kumomta-ui doctor --only ${id}`
	}),
	isClosed: true
});
