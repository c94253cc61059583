import { join } from 'node:path';
import type { Host } from '../../host/host.ts';
import type { Answer, ApplierState } from './answer.ts';
import { answer, answerBytes, answersDirectory, stateFile } from './answer.ts';
import { parseJson } from './state.ts';

/** What the applier keeps: answers and the state for everybody to read, the rest closed to all but root. */
export interface Records {
	results: string;
	/** Root's alone: its key, what it may open, the number of the last request, work in the making. */
	closed: string;
	answers: string;
	/** The number of the last request that was taken; 0: none. */
	lastNumber(): Promise<number>;
	/** On disk before the request is looked at: no crash lets it be taken twice. */
	keepNumber(number: number): Promise<void>;
	readAnswer(ref: string): Promise<Answer | undefined>;
	writeAnswer(found: Answer): Promise<void>;
	/** Answers of what runs, or ran when the process ended. */
	unfinished(): Promise<Answer[]>;
	writeState(state: ApplierState): Promise<void>;
	removeOld(before: number): Promise<void>;
}

const forAll = { mode: 0o644 };
const forRoot = { mode: 0o600 };

export async function openRecords(host: Host, results: string): Promise<Records> {
	const closed = join(results, 'private');
	const answers = join(results, answersDirectory);
	const high = join(closed, 'last-request');
	const { files } = host;
	await files.makeDirectory(results, { mode: 0o755 });
	await files.makeDirectory(closed, { mode: 0o700 });
	await files.makeDirectory(answers, { mode: 0o755 });
	const pathOf = (ref: string) => join(answers, `${ref}.json`);

	async function readAnswer(ref: string): Promise<Answer | undefined> {
		const parsed = answer.safeParse(parseJson(await files.readText(pathOf(ref), answerBytes)));
		return parsed.success ? parsed.data : undefined;
	}

	async function all(): Promise<Answer[]> {
		const refs = (await files.list(answers)).flatMap((name) => /^([a-z0-9]{16})\.json$/.exec(name)?.[1] ?? []);
		const found = await Promise.all(refs.map(readAnswer));
		return found.filter((each) => each !== undefined);
	}

	return {
		results,
		closed,
		answers,
		lastNumber: async () => Number((await files.readText(high, 100)) ?? 0),
		keepNumber: (number) => files.replaceFile(high, String(number), forRoot),
		readAnswer,
		writeAnswer: (found) => files.replaceFile(pathOf(found.ref), JSON.stringify(found), forAll),
		unfinished: async () => (await all()).filter(({ outcome }) => outcome === 'running'),
		writeState: (state) => files.replaceFile(join(results, stateFile), JSON.stringify(state), forAll),
		async removeOld(before) {
			for (const { ref, outcome, changedAt } of await all())
				if (outcome !== 'running' && changedAt < before) await files.remove(pathOf(ref));
		}
	};
}
