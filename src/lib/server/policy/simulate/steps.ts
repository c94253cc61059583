import { z } from 'zod';
import type { Argument } from '../lua/vm.ts';

/** What the driver in kumod is told to do, one after the other. Connections and messages are numbered from 1. */
export type Step =
	| { do: 'connection'; meta: Record<string, unknown> }
	| { do: 'set-meta'; connection: number; name: string; value: string }
	| { do: 'meta'; connection: number }
	| { do: 'message'; sender: string; recipients: readonly string[]; text: string; meta: Record<string, unknown> }
	| { do: 'split'; message: number; recipient: string }
	| { do: 'view'; message: number }
	| { do: 'call'; event: string; args: Argument[] }
	| { do: 'path'; domain: string; source: string };

/** A step that KumoMTA was asked; without an answer where it gave none. */
export interface Asked {
	step: Step;
	answer?: Answer;
}

/** Metas of a message that the answer is made of; a test holds the program's own against them. */
export const metaNames = [
	'queue',
	'tenant',
	'campaign',
	'routing_domain',
	'x_sender',
	'x_domain',
	'x_mailbox',
	'x_purpose',
	'received_via',
	'received_from',
	'reception_protocol',
	'hostname',
	'authn_id',
	'authz_id',
	'http_auth'
];

/** An empty Lua table has no kind: it comes as an object or as a list. */
const table = z.union([z.record(z.string(), z.unknown()), z.tuple([]).transform(() => ({}))]);
const texts = z.union([z.array(z.string()), z.strictObject({}).transform((): string[] => [])]);

const rejection = z.object({
	code: z.int().min(400).max(599),
	text: z.string(),
	disconnect: z.enum(['If421', 'ForceDisconnect', 'FollowWith421'])
});
const outcome = z.discriminatedUnion('kind', [
	z.object({ kind: z.literal('value'), value: z.unknown().optional() }),
	z.object({ kind: z.literal('rejected'), rejection }),
	z.object({ kind: z.literal('failed'), error: z.string() })
]);
const view = z.object({ meta: table, signatures: texts, queue: z.string(), id: z.string() });

const answers = {
	connection: table,
	'set-meta': table,
	message: table,
	split: table,
	meta: z.object({ meta: table }),
	view,
	call: outcome,
	path: z.object({ config: z.record(z.string(), z.unknown()) })
} as const;

export type AnswerOf<Kind extends Step['do']> = z.infer<(typeof answers)[Kind]>;
export type Answer = AnswerOf<Step['do']>;

/** What stands behind the mark on each line. */
const line = z.union([
	z.object({ at: z.int().min(1), answer: z.unknown().optional(), problem: z.string().optional() }),
	z.object({ standIn: z.string().max(400) })
]);

export interface Printed {
	asked: Asked[];
	/** Keys, as `selector of domain`, that were not there. */
	standIns: string[];
}

/** The driver's answers among what kumod printed; a line that is cut off or is none of ours says nothing. */
export function readAnswers(output: string, mark: string, steps: readonly Step[]): Printed {
	const asked: Asked[] = steps.map((step) => ({ step }));
	const standIns: string[] = [];
	for (const text of output.split('\n')) {
		if (!text.startsWith(mark)) continue;
		const { success, data } = line.safeParse(parsed(text.slice(mark.length)));
		if (!success) continue;
		if ('standIn' in data) {
			standIns.push(data.standIn);
			continue;
		}
		const of = asked[data.at - 1];
		if (of === undefined) continue;
		const answer = answers[of.step.do].safeParse(data.answer);
		if (answer.success) of.answer = answer.data;
	}
	return { asked, standIns };
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// A line that was cut off says nothing.
		return undefined;
	}
}
