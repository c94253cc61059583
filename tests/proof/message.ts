/** How a message arrives. The double's peers stand for remote addresses. */
export type Arrival =
	| { via: 'smtp'; listener: 'inbound' | 'submission' | 'relay'; peer: string; logins: Login[] }
	| { via: 'http'; peer: string; basic?: { user: string; password: string } };

export interface Login {
	user: string;
	password: string;
	/** RFC 4616 authorization identity; empty for none. */
	authorizeAs: string;
}

export interface Arriving {
	arrival: Arrival;
	mailFrom: string;
	/** HTTP injection makes one message of each; there is one then. */
	recipients: string[];
	headers: [name: string, value: string][];
}

/** One queued message, as far as policy.md decides it. */
export interface Delivery {
	recipient: string;
	/** `campaign:tenant@domain`, a mailbox's queue or `null`. */
	queue: string;
	tenant?: string;
	campaign?: string;
	mailbox?: string;
	pool?: string;
	/** EHLO names of the pool's sources. */
	ehlo?: string[];
	rate?: string;
	/** Seconds. */
	maxAge?: number;
	/** policy.md 4.5: it is removed, whatever it says. */
	hasCampaignHeader: boolean;
	/** `<selector>._domainkey.<domain>`, sorted. */
	signatures: string[];
}

/** What became of a message: deliveries, or the reply that refused it. */
export interface Decision {
	/** Recipients refused at RCPT while others went on. */
	refused: string[];
	reply: string;
	deliveries: Delivery[];
}

/** The same from the oracle: the reply as a pattern, since policy.md leaves the wording open. */
export interface Expectation {
	refused: string[];
	reply: RegExp;
	deliveries: Delivery[];
	/** Which rule decided, so that a proof can count how many of each it saw. */
	rule: string;
}
