import { isDeepStrictEqual } from 'node:util';
import type { Header } from '../lua/host.ts';
import type { Argument, MessageView, NewMessage, Outcome, Policy } from '../lua/vm.ts';
import { bodyFor } from './report-body.ts';
import { metaNames } from './steps.ts';
import type { Answer, AnswerOf, Asked, Step } from './steps.ts';

/** A revision in the double whose answers are replaced by KumoMTA's, as far as KumoMTA was asked for the same. */
export interface Shadow {
	policy: Policy;
	/** The limits of a path, which only KumoMTA knows. */
	path: (domain: string, source: string) => Record<string, unknown> | undefined;
	/** All that was asked so far: what KumoMTA has to be asked next. */
	steps: () => Step[];
	/** KumoMTA itself gave every answer that decides; it may still have had none for a path. */
	isWhole: () => boolean;
}

/**
 * The conversation goes on in the double meanwhile, so that one run in kumod can be told all its steps in advance: where
 * KumoMTA answers otherwise than the double, the steps after it are asked in one more run.
 */
export function shadow(double: Policy, known: readonly Asked[]): Shadow {
	const steps: Step[] = [];
	const connections: number[] = [];
	const messages: number[] = [];
	let isFollowed = true;
	let isWhole = true;

	/** Undefined: the double's own answer is all there is. */
	function ask<Kind extends Step['do']>(step: Extract<Step, { do: Kind }>): AnswerOf<Kind> | undefined {
		const of = known[steps.length];
		steps.push(step);
		if (of === undefined || !isDeepStrictEqual(of.step, step)) isFollowed = false;
		const answer: Answer | undefined = isFollowed ? of?.answer : undefined;
		const mayBeUnknown = step.do === 'path' && isFollowed;
		if (answer === undefined && !mayBeUnknown) isWhole = false;
		return answer as AnswerOf<Kind> | undefined;
	}
	/** The numbers that the double gave, for those of the steps. */
	const inDouble = (argument: Argument): Argument => {
		if (argument.kind === 'connection') return { ...argument, value: connections[argument.value - 1] ?? 0 };
		if (argument.kind === 'message') return { ...argument, value: messages[argument.value - 1] ?? 0 };
		return argument;
	};
	const policy: Policy = {
		...double,
		newConnection(meta) {
			ask({ do: 'connection', meta });
			return connections.push(double.newConnection(meta));
		},
		setConnectionMeta(connection, name, value) {
			ask({ do: 'set-meta', connection, name, value });
			double.setConnectionMeta(connections[connection - 1] ?? 0, name, value);
		},
		connectionMeta(connection) {
			const own = double.connectionMeta(connections[connection - 1] ?? 0);
			return ask({ do: 'meta', connection })?.meta ?? own;
		},
		newMessage(message) {
			ask({ do: 'message', ...textOf(message) });
			return messages.push(double.newMessage(message));
		},
		splitMessage(message, recipient) {
			ask({ do: 'split', message, recipient });
			return messages.push(double.splitMessage(messages[message - 1] ?? 0, recipient));
		},
		viewMessage(message) {
			const own = double.viewMessage(messages[message - 1] ?? 0);
			const answer = ask({ do: 'view', message });
			return answer === undefined ? own : viewOf(answer);
		},
		call(event, ...args) {
			const own = double.call(event, ...args.map(inDouble));
			const answer = ask({ do: 'call', event, args });
			return answer === undefined ? own : outcomeOf(answer);
		}
	};
	return {
		policy,
		path: (domain, source) => ask({ do: 'path', domain, source })?.config,
		steps: () => steps,
		isWhole: () => isWhole
	};
}

function textOf({ sender, recipients, headers, meta = {} }: NewMessage) {
	const lines = headers.map(([name, value]: Header) => `${name}: ${value}\r\n`).join('');
	return { sender, recipients, text: `${lines}\r\n${bodyFor(headers)}`, meta };
}

function outcomeOf(answer: AnswerOf<'call'>): Outcome {
	if (answer.kind === 'value') return { kind: 'value', value: answer.value };
	if (answer.kind === 'failed') return answer;
	const { code, text, disconnect } = answer.rejection;
	// A 421 that follows the refusal ends the connection too.
	return {
		kind: 'rejected',
		rejection: { code, text, disconnect: disconnect === 'If421' ? 'If421' : 'ForceDisconnect' }
	};
}

function viewOf({ meta, signatures, queue, id }: AnswerOf<'view'>): MessageView {
	const named = Object.entries(meta).filter(([name]) => metaNames.includes(name));
	return {
		id,
		meta: Object.fromEntries(named),
		// Each signature is put before the message: the last one stands first.
		signatures: signatures.map(signatureOf).toReversed(),
		headers: [],
		delays: 0,
		queue
	};
}

/** RFC 6376 section 3.5. A header that is named once more than it is there is signed against being added. */
function signatureOf(text: string): MessageView['signatures'][number] {
	const tags = new Map(
		text.split(';').map((tag): [string, string] => {
			const at = tag.indexOf('=');
			return [tag.slice(0, at).trim(), tag.slice(at + 1).replaceAll(/\s+/g, '')];
		})
	);
	const named = (tags.get('h') ?? '').split(':').filter((name) => name !== '');
	const headers = named.filter((name, at) => named.findIndex((each) => isSame(each, name)) === at);
	return {
		domain: tags.get('d') ?? '',
		selector: tags.get('s') ?? '',
		key: '',
		headers,
		over_sign: headers.length < named.length
	};
}

const isSame = (left: string, right: string) => left.toLowerCase() === right.toLowerCase();
