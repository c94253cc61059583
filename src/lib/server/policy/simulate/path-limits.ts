import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { App } from '../../app.ts';
import { errnoOf } from '../../host/file-errors.ts';
import type { Host } from '../../host/host.ts';
import { policyAccess } from '../roots.ts';
import type { PathLimit, Simulation } from './inputs.ts';
import { argumentsOf, limitsIn, pathScript } from './path-script.ts';
import type { AskedPath } from './path-script.ts';

/** What get_egress_path_config reads. The directory of senders takes no part, so their verifiers are not copied. */
const neededFiles = ['program.lua', 'custom.lua', 'node.toml', 'shaping.toml'];
/** A domain of a message may be anything; only names that DNS could know are asked about. */
const domainName = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)+$/;
const mostPaths = 200;
const timeoutMs = 15_000;
const asking = new WeakMap<App['database'], Promise<unknown>>();

/**
 * Prepares to ask the installed KumoMTA for the limits of the paths that a simulation takes; undefined where there is no
 * KumoMTA or no path. What is answered adds them, or says why they are unknown; it never fails because of KumoMTA.
 * @param directory of the revision, named like it; it is read now and may go away before the question is asked
 */
export async function preparePaths(
	app: App,
	directory: string,
	simulation: Simulation
): Promise<(() => Promise<Simulation>) | undefined> {
	const { kumodBin } = app.env;
	const all = pathsOf(simulation);
	if (kumodBin === undefined || all.length === 0) return undefined;
	const parent = await mkdtemp(join(tmpdir(), 'kumomta-ui-paths-'));
	const discard = () => rm(parent, { recursive: true, force: true });
	try {
		const script = await copyRevision(app.host, directory, parent);
		const paths = all.filter(({ domain }) => domainName.test(domain)).slice(0, mostPaths);
		return () => inTurn(app, () => askKumod(app.host, kumodBin, { script, paths, simulation })).finally(discard);
	} catch (error) {
		await discard();
		throw error;
	}
}

/** A copy that KumoMTA's own user can read. @returns the path of the script that asks about its paths */
async function copyRevision(host: Host, from: string, parent: string): Promise<string> {
	const { directory: access, file } = policyAccess(host);
	const copy = join(parent, basename(from));
	await host.files.makeDirectory(parent, access);
	await host.files.makeDirectory(copy, access);
	for (const each of neededFiles) {
		const bytes = await host.files.readBytes(join(from, each));
		if (bytes !== undefined) await host.files.createFile(join(copy, each), bytes, file);
	}
	const script = join(parent, 'paths.lua');
	await host.files.createFile(script, pathScript(copy), file);
	return script;
}

/** One kumod at a time: each loads the packaged shaping anew. */
function inTurn<T>(app: App, work: () => Promise<T>): Promise<T> {
	const running = (asking.get(app.database) ?? Promise.resolve()).then(work);
	asking.set(
		app.database,
		running.catch(() => {})
	);
	return running;
}

async function askKumod(
	host: Host,
	bin: string,
	{ script, paths, simulation }: { script: string; paths: AskedPath[]; simulation: Simulation }
): Promise<Simulation> {
	const { output, problem } = paths.length === 0 ? { output: '' } : await runScript(host, bin, script, paths);
	const limits = limitsIn(output, paths);
	return withLimits(simulation, new Map(paths.map((path, index) => [keyOf(path), limits[index]])), problem);
}

async function runScript(
	host: Host,
	bin: string,
	script: string,
	paths: AskedPath[]
): Promise<{ output: string; problem?: string }> {
	const asKumod = policyAccess(host).kumod === undefined ? [] : ['--user', 'kumod'];
	const args = ['--policy', script, '--script', ...asKumod, '--', ...argumentsOf(paths)];
	try {
		const { code, timedOut, stdout } = await host.run(bin, args, { timeoutMs, maxBytes: 1_048_576 });
		if (timedOut) return { output: '', problem: `it did not answer in ${timeoutMs / 1000} seconds` };
		if (code !== 0) return { output: '', problem: `kumod ended with ${code === null ? 'a signal' : `code ${code}`}` };
		return { output: stdout };
	} catch (error) {
		const code = errnoOf(error);
		if (code === undefined) throw error;
		return { output: '', problem: `kumod cannot be run (${code})` };
	}
}

const keyOf = ({ domain, source }: AskedPath) => `${domain} ${source}`;

/** The part of a scheduled queue's name that is looked up in DNS: `campaign:tenant@domain!routing domain`. */
const destinationOf = (queue: string) => queue.slice(Math.max(queue.lastIndexOf('@'), queue.lastIndexOf('!')) + 1);

function pathsOf({ recipients }: Simulation): AskedPath[] {
	const paths = new Map<string, AskedPath>();
	for (const { message } of recipients) {
		if (message?.kind !== 'outbound') continue;
		for (const { kumomtaName: source, weight } of message.sources) {
			const path = { domain: destinationOf(message.queue).toLowerCase(), source };
			if (weight > 0) paths.set(keyOf(path), path);
		}
	}
	return [...paths.values()];
}

function withLimits(
	simulation: Simulation,
	answered: Map<string, PathLimit[] | undefined>,
	problem: string | undefined
): Simulation {
	let isWhole = problem === undefined;
	const recipients = simulation.recipients.map((recipient) => {
		const { message } = recipient;
		if (message?.kind !== 'outbound') return recipient;
		const domain = destinationOf(message.queue).toLowerCase();
		const sources = message.sources.map((source) => {
			const pathLimits = answered.get(keyOf({ domain, source: source.kumomtaName })) ?? null;
			if (pathLimits === null && source.weight > 0) isWhole = false;
			return { ...source, pathLimits };
		});
		return { ...recipient, message: { ...message, sources } };
	});
	const others = simulation.unknowns.filter(({ code }) => code !== 'path-limits');
	const missing = {
		code: 'path-limits',
		text:
			problem === undefined
				? 'KumoMTA was asked for its limits on the way out, and does not say them for every destination: the rest is unknown.'
				: `Connection and message limits on the way out: KumoMTA was asked, but ${problem}.`
	};
	return { ...simulation, recipients, unknowns: isWhole ? others : [...others, missing] };
}
