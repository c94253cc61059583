import { join } from 'node:path';
import type { App } from '../../app.ts';
import { UserError } from '../../core/errors.ts';
import { answerBytes, applierState, stateFile } from './answer.ts';
import type { ApplierState, Refusal } from './answer.ts';

interface Known {
	modifiedAt: number;
	bytes: number;
	state: ApplierState;
}
const known = new WeakMap<App['database'], Known>();

/** What the applier said last of where the panel may not look; undefined before it said anything, and without one. */
export async function knownState(app: App): Promise<ApplierState | undefined> {
	if (app.env.applier === undefined) return undefined;
	const path = join(app.env.applier.results, stateFile);
	const file = await app.host.files.stat(path);
	const last = known.get(app.database);
	if (last !== undefined && last.modifiedAt === file?.modifiedAt && last.bytes === file.bytes) return last.state;
	const text = await app.host.files.readText(path, answerBytes);
	const parsed = applierState.safeParse(parseJson(text));
	if (!parsed.success || file === undefined) return undefined;
	known.set(app.database, { modifiedAt: file.modifiedAt, bytes: file.bytes, state: parsed.data });
	return parsed.data;
}

export function parseJson(text: string | undefined): unknown {
	try {
		return text === undefined ? undefined : JSON.parse(text);
	} catch {
		return undefined;
	}
}

export function refusalError({ code, message, reason, problems }: Refusal): UserError {
	return new UserError(code, message, { ...(reason !== null && { reason }), ...(problems.length > 0 && { problems }) });
}
