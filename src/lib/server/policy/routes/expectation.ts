import { plainText } from '../../core/plain-text.ts';
import type { QueuedMessage, Simulation } from '../simulate/inputs.ts';
import type { Expectation, RouteDifference } from './inputs.ts';

type Recipient = Simulation['recipients'][number];

const sendingNames = ({ sources }: QueuedMessage) => sources.filter(({ share }) => share > 0).map(({ name }) => name);
const keyName = ({ domain, selector }: { domain: string; selector: string }) => `${selector} of ${domain}`;

/** Everything about an answer that a route can hold on to. */
export function expectationOf({ verdict, recipients }: Simulation): Expectation {
	const [first] = recipients;
	if (first === undefined) return { verdict };
	const { reply, rule, message } = first;
	const made = { verdict, replyCode: reply.code, rule };
	if (message === undefined) return made;
	const { pool, tenant, campaign, queue, signatures } = message;
	return {
		...made,
		pool,
		tenant,
		campaign,
		queue,
		sources: sendingNames(message),
		signatures: signatures.map(({ domain, selector }) => ({ domain, selector }))
	};
}

/** How an answer differs from what is expected, in words that go on after the name of the route; empty: it is kept. */
export function differences(expected: Expectation, { verdict, recipients }: Simulation): RouteDifference[] {
	const [first] = recipients;
	if (verdict !== expected.verdict)
		return [{ code: 'verdict', text: verdictMoved(expected.verdict, verdict, recipients) }];
	if (first === undefined) return [];
	const answered = answerMoved(expected, first);
	if (first.message !== undefined) return [...answered, ...messageMoved(expected, first.message)];
	if (answered.length > 0 || !asksForMessage(expected)) return answered;
	return [{ code: 'not-queued', text: `has its first recipient refused with ${replyOf(first)}` }];
}

const verdictWords = { accepted: 'accepted', partly: 'accepted for some recipients only', refused: 'refused' };

function verdictMoved(was: Expectation['verdict'], now: Simulation['verdict'], recipients: Recipient[]): string {
	const refused = recipients.find(({ accepted }) => !accepted);
	const why =
		refused === undefined ? '' : now === 'refused' ? ` with ${replyOf(refused)}` : ` (${replyOf(refused)} to others)`;
	return `is ${verdictWords[now]}${why} instead of ${verdictWords[was]}`;
}

/** custom.lua may answer several lines, and in any characters. */
const replyOf = ({ reply }: Recipient) => plainText(`${reply.code} ${reply.text}`, 300);

function answerMoved({ replyCode, rule }: Expectation, first: Recipient): RouteDifference[] {
	const found: RouteDifference[] = [];
	if (replyCode !== undefined && replyCode !== first.reply.code)
		found.push({ code: 'reply', text: `is answered ${replyOf(first)} instead of ${replyCode}` });
	if (rule !== undefined && rule !== first.rule)
		found.push({ code: 'rule', text: `is decided by the rule ${first.rule} instead of ${rule}` });
	return found;
}

const asksForMessage = ({ pool, tenant, campaign, queue, sources, signatures }: Expectation) =>
	[pool, tenant, campaign, queue, sources, signatures].some((part) => part !== undefined);

function messageMoved(expected: Expectation, message: QueuedMessage): RouteDifference[] {
	const parts = [
		['pool', 'leaves by pool', 'leaves by no pool', expected.pool, message.pool],
		['tenant', 'belongs to tenant', 'belongs to no tenant', expected.tenant, message.tenant],
		['campaign', 'belongs to campaign', 'belongs to no campaign', expected.campaign, message.campaign],
		['queue', 'waits in queue', 'waits in no queue', expected.queue, message.queue]
	] as const;
	const moved = parts.flatMap(([code, by, byNone, was, now]) =>
		was === undefined || was === now
			? []
			: [{ code, text: `${now === null ? byNone : `${by} ${now}`} instead of ${was ?? 'none'}` }]
	);
	return [
		...moved,
		...setMoved('source', expected.sources, sendingNames(message), {
			gone: (name) => `does not leave from source ${name} any more`,
			more: (name) => `may leave from source ${name} too`
		}),
		...setMoved('signature', expected.signatures?.map(keyName), message.signatures.map(keyName), {
			gone: (name) => `is not signed by ${name} any more`,
			more: (name) => `is signed by ${name} too`
		})
	];
}

function setMoved(
	code: string,
	was: string[] | undefined,
	now: string[],
	words: { gone: (name: string) => string; more: (name: string) => string }
): RouteDifference[] {
	if (was === undefined) return [];
	const [before, after] = [new Set(was), new Set(now)];
	return [
		...[...before.difference(after)].map((name) => ({ code, text: words.gone(name) })),
		...[...after.difference(before)].map((name) => ({ code, text: words.more(name) }))
	];
}
