import { setTimeout as wait } from 'node:timers/promises';
import { isPutBackOwed } from '../lib/shared/apply-steps.ts';
import { counted } from '../lib/shared/counted.ts';
import { exit, UsageError } from './command.ts';
import type { Command, Exit, Invocation, Option } from './command.ts';
import { policyFiles } from './policy-files.ts';
import { createWatchTeller, watchCommands } from './watch.ts';
import { simulate } from './simulate.ts';

const json: Option = { type: 'boolean', help: 'As JSON.' };

const wishes: Record<string, Option> = {
	reason: { type: 'string', value: 'text', help: 'Why; kept with the revision.' },
	'take-over': {
		type: 'string',
		value: 'sha256',
		help: 'Replaces a live init.lua that is not ours and has this SHA-256; it is kept as revision 0.'
	},
	'overwrite-drift': { type: 'boolean', help: 'Replaces files that were changed by hand.' },
	drop: {
		type: 'string',
		multiple: true,
		value: 'id',
		help: 'Agrees that this live object falls out because it is not ready any more.'
	},
	'override-route': {
		type: 'string',
		multiple: true,
		value: 'name',
		help: 'Lets this golden route be broken, once; may be given several times.'
	},
	json
};

export const policy: Record<string, Command> = {
	status: { help: 'Which revision is live, and what waits to be applied.', takes: [], options: { json }, run: status },
	check: {
		help: 'Checks the pending policy; exit code 3 when a problem keeps it from being applied.',
		takes: [],
		options: { json },
		run: check
	},
	preview: {
		help: 'What an apply would change, in words, and its files. Its hash is what apply wants to hear.',
		takes: [],
		options: { json },
		run: preview
	},
	...policyFiles,
	apply: {
		help: 'Makes the pending policy live: stage, validate, swap, probe. Exit code 3 when it did not go live.',
		takes: [],
		options: {
			hash: {
				type: 'string',
				value: 'sha256',
				help: 'Applies only if the pending policy still has this hash (from preview).'
			},
			yes: { type: 'boolean', help: 'Applies whatever is pending now, unseen.' },
			...wishes
		},
		run: apply
	},
	simulate,
	...watchCommands,
	revisions: { help: 'The revisions that are kept, the newest first.', takes: [], options: { json }, run: revisions },
	restore: {
		help: 'Applies the data of an earlier revision as a new one. What is being edited stays as it is.',
		takes: ['number'],
		options: wishes,
		run: restore
	}
};

async function settledStatus({ api }: Invocation) {
	for (let tries = 0; ; tries += 1) {
		const answer = await api.policy.status();
		if (answer.computing !== true || tries >= 600) return answer;
		await wait(100);
	}
}

async function status(invocation: Invocation): Promise<Exit> {
	const { options, print } = invocation;
	const answer = await settledStatus(invocation);
	if (options['json'] === true) {
		print(JSON.stringify(answer));
		return exit.ok;
	}
	print(
		answer.liveRevision === null
			? 'Live: no revision yet.'
			: `Live: revision ${answer.liveRevision} (${answer.liveHash?.slice(0, 12) ?? ''}).`
	);
	print(
		answer.dirty
			? `Pending: ${counted(answer.changes, 'change')} (${answer.pendingHash?.slice(0, 12) ?? 'not computed'}).`
			: 'Pending: nothing.'
	);
	if (answer.problems !== null) print(`Problems: ${problemWords(answer.problems)}`);
	for (const { path, what } of answer.drift) print(`Drift: ${path} is ${what}.`);
	if (answer.foreign !== null) print(`The live init.lua is not ours (SHA-256 ${answer.foreign.sha256}).`);
	if (!answer.kumomta.isInstalled) print(`KumoMTA is not installed here; files go to ${answer.kumomta.root}.`);
	return exit.ok;
}

const problemWords = ({ errors, blocking, warnings }: { errors: number; blocking: number; warnings: number }) =>
	`${counted(errors, 'error')}, ${blocking} of them ${blocking === 1 ? 'blocks' : 'block'} an apply; ${counted(warnings, 'warning')}.`;

async function check({ api, options, print }: Invocation): Promise<Exit> {
	const { problems, problemCounts, hash } = await api.policy.preview();
	if (options['json'] === true) print(JSON.stringify({ hash, problems, problemCounts }));
	else {
		for (const { severity, scope, subject, message, blocks } of problems)
			print(
				`${severity}${blocks ? ', blocks' : ''}: ${scope}${subject === undefined ? '' : ` ${subject}`}: ${message}`
			);
		print(problemWords(problemCounts));
	}
	return problemCounts.blocking > 0 ? exit.checkFailed : exit.ok;
}

async function preview({ api, options, print }: Invocation): Promise<Exit> {
	const { hash, files, problemCounts, needsRestart } = await api.policy.preview();
	if (options['json'] === true) {
		print(
			JSON.stringify({
				hash,
				files: files.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
				problemCounts,
				needsRestart,
				changes: await allChanges(api)
			})
		);
		return exit.ok;
	}
	for (const { text } of await allChanges(api)) print(`* ${text}`);
	for (const { path, bytes } of files) print(`${path}  ${counted(bytes, 'byte')}`);
	print(problemWords(problemCounts));
	if (needsRestart) print('KumoMTA is restarted by this change.');
	print(`Hash: ${hash}`);
	return exit.ok;
}

async function allChanges(api: Invocation['api']) {
	const items = [];
	for (let cursor: string | undefined; ;) {
		const page = await api.policy.changes({ cursor, limit: 200 });
		items.push(...page.items);
		if (page.nextCursor === null) return items;
		cursor = page.nextCursor;
	}
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined);
const listOf = (value: Invocation['options'][string]) => (Array.isArray(value) ? value.map(String) : undefined);

function wishesOf(options: Invocation['options']) {
	return {
		reason: textOf(options['reason']),
		takeOver: textOf(options['take-over']),
		overwriteDrift: options['overwrite-drift'] === true,
		dropping: listOf(options['drop']),
		overridingRoutes: listOf(options['override-route'])
	};
}

async function apply(invocation: Invocation): Promise<Exit> {
	const { api, options } = invocation;
	const hash = textOf(options['hash']);
	if ((hash === undefined) !== (options['yes'] === true))
		throw new UsageError(
			'Say what to apply: --hash with the hash that preview printed, or --yes for whatever is pending now.'
		);
	const expectedHash = hash ?? (await api.policy.preview()).hash;
	// A caller takes `apply(…)` at the end of a path for Function.prototype.apply: named once as procedure, once as that.
	return report(invocation, await api.policy.apply.apply(undefined, [{ expectedHash, ...wishesOf(options) }]));
}

async function restore(invocation: Invocation): Promise<Exit> {
	const { api, options, given } = invocation;
	if (!/^\d{1,9}$/.test(given['number'] ?? '')) throw new UsageError('A revision is a number. Nothing was changed.');
	return report(invocation, await api.policy.restore({ number: Number(given['number']), ...wishesOf(options) }));
}

/** Follows an apply to its end and prints its steps. */
async function report(
	{ api, options, print }: Invocation,
	started: Awaited<ReturnType<Invocation['api']['policy']['apply']>>
): Promise<Exit> {
	const tell = options['json'] === true ? () => {} : createWatchTeller(print);
	let answer = started;
	// Seen twice: the moment between the last step and the record of how it ended looks the same.
	for (let stuck = 0; answer.outcome === 'running' && stuck < 2;) {
		await wait(500);
		const progress = await api.policy.progress({ applyId: answer.applyId });
		tell(progress);
		stuck = isPutBackOwed(progress) ? stuck + 1 : 0;
		answer = progress;
	}
	if (options['json'] === true) print(JSON.stringify(answer));
	else {
		for (const { name, status: state, durationMs, output } of answer.steps)
			print(`${name.padEnd(9)} ${state.padEnd(8)} ${durationMs} ms  ${output}`.trimEnd());
		print(
			`${isPutBackOwed(answer) ? 'not put back' : answer.outcome}${answer.revision === null ? '' : `: revision ${answer.revision}`}`
		);
	}
	return answer.outcome === 'applied' || answer.outcome === 'unchanged' ? exit.ok : exit.checkFailed;
}

async function revisions({ api, options, print }: Invocation): Promise<Exit> {
	for (let cursor: string | undefined; ;) {
		const page = await api.policy.revisions({ cursor, limit: 200, sort: { by: 'number', dir: 'desc' } });
		for (const item of page.items) {
			const { number, hash, actorName, reason, createdAt, isLive, appliedAt } = item;
			const state = isLive ? 'live' : appliedAt === null ? 'never live' : '';
			print(
				options['json'] === true
					? JSON.stringify(item)
					: [number, hash.slice(0, 12), new Date(createdAt).toISOString(), actorName, state, reason ?? '']
							.join('  ')
							.trimEnd()
			);
		}
		if (page.nextCursor === null) return exit.ok;
		cursor = page.nextCursor;
	}
}
