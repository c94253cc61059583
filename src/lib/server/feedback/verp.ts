import { emailAddress } from '../core/inputs.ts';

/** What a return path says besides where reports go. */
export interface ReturnPath {
	/** The return path without its tag, as a bounce account has it. */
	base: string;
	/** Text behind the `+`, when it names no recipient. */
	token: string | null;
	/** The recipient that the sender wrote into it (VERP). */
	recipient: string | null;
}

/** Words before a `-` that senders put in front of the recipient. */
const leads = new Set(['b', 'bounce', 'bounces', 'verp', 'return', 'returns', 'ret']);

/**
 * Reads the common shapes of variable envelope return paths: `bounces+local=domain@…`, `bounce-local=domain@…`,
 * `list-return-17-local=domain@…`, `bounces+123-ab12-local=domain@…`, `account+token@…`. Undefined when it is no address.
 */
export function readReturnPath(address: string): ReturnPath | undefined {
	const parsed = emailAddress.safeParse(address);
	if (!parsed.success) return undefined;
	const at = parsed.data.lastIndexOf('@');
	const [local, host] = [parsed.data.slice(0, at), parsed.data.slice(at)];
	const plus = local.indexOf('+');
	if (plus > 0) {
		const tag = local.slice(plus + 1);
		const recipient = recipientIn(withoutNumbers(tag));
		return { base: local.slice(0, plus) + host, token: recipient === null && tag !== '' ? tag : null, recipient };
	}
	return { base: local + host, token: null, recipient: recipientIn(behindLead(local)) };
}

/** `local=domain`; the last `=` stands for the `@`, since a domain has none. */
function recipientIn(text: string): string | null {
	const at = text.lastIndexOf('=');
	if (at < 1) return null;
	const parsed = emailAddress.safeParse(`${text.slice(0, at)}@${text.slice(at + 1)}`);
	return parsed.success ? parsed.data : null;
}

/** A customer's and a message's number, as some services write them before the recipient. */
const withoutNumbers = (tag: string) => /^\d{1,20}-[0-9a-f]{2,16}-(.+)$/.exec(tag)?.[1] ?? tag;

function behindLead(local: string): string {
	const numbered = /^[a-z0-9._]{1,64}-return-\d{1,20}-(.+)$/.exec(local)?.[1];
	if (numbered !== undefined) return numbered;
	const dash = local.indexOf('-');
	return dash > 0 && leads.has(local.slice(0, dash)) ? local.slice(dash + 1) : '';
}
