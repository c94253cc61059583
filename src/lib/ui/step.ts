export type StepStatus = 'ok' | 'running' | 'failed' | 'skipped' | 'waiting' | 'next';

export interface Step {
	title: string;
	status: StepStatus;
	detail?: string;
	/** Right of it, muted: "41 ms". */
	note?: string;
	/** Where to do it. */
	href?: string;
}
