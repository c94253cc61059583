export interface Crumb {
	label: string;
	/** Left out on the last one. */
	href?: string;
}
