/**
 * The suppression files as the policy program reads them: SQLite, replaced as a whole by rename, never written in place.
 * `address` is lower case with its domain as A-labels, `scope` the A-label name of the sender's domain or empty for the
 * global list. A row of the delta counts before the same row of the base; there, an empty `reason` says "not any more".
 */
export const suppressionFormat = {
	/** `PRAGMA user_version` of both files. */
	version: 1,
	/** Below the policy's directory. */
	directory: 'suppression',
	base: 'base.sqlite',
	delta: 'delta.sqlite',
	table: 'suppressed',
	columns: ['address', 'scope', 'reason']
} as const;

/** The label of KumoMTA's metric `user_lua_latency` whose count rises with each recipient that no list could be asked about. */
export const unreadListsLabel = 'kumomta_ui_suppression_unreadable';
