export type ProblemScope = 'node' | 'source' | 'pool' | 'domain' | 'sender' | 'bounce-account';

/**
 * Something that is wrong with the data of a revision. An error on a domain, sender or bounce account keeps that object
 * out and does not block the others, unless it is live now; any other error blocks; a warning never does.
 */
export interface Problem {
	severity: 'error' | 'warning';
	scope: ProblemScope;
	/** The object's id; absent for the node. */
	id?: string;
	/** How a person knows the object: its name or address. */
	subject?: string;
	/** Input path of the field that causes it (`listeners.0.port`). */
	field?: string;
	/** Permanent, kebab-case. */
	code: string;
	message: string;
	blocks: boolean;
}

const small: readonly ProblemScope[] = ['domain', 'sender', 'bounce-account'];

export function problem(given: Omit<Problem, 'blocks'>): Problem {
	return { ...given, blocks: given.severity === 'error' && !small.includes(given.scope) };
}

export interface ProblemCounts {
	errors: number;
	warnings: number;
	blocking: number;
}

export function countProblems(problems: Problem[]): ProblemCounts {
	return {
		errors: problems.filter(({ severity }) => severity === 'error').length,
		warnings: problems.filter(({ severity }) => severity === 'warning').length,
		blocking: problems.filter(({ blocks }) => blocks).length
	};
}

const rank = ({ blocks, severity }: Problem) => (blocks ? 0 : severity === 'error' ? 1 : 2);

/** The most urgent first, at most `limit`: a page cannot show ten thousand, and the counts say how many there are. */
export function urgentFirst(problems: Problem[], limit: number): Problem[] {
	return problems.toSorted((a, b) => rank(a) - rank(b)).slice(0, limit);
}
