import { basename } from 'node:path';
import type { Host } from '../host/host.ts';
import type { RunResult } from '../host/run.ts';
import type { StepResult } from './step-result.ts';
import { policyAccess } from './roots.ts';

export interface Position {
	file: string;
	line: number;
}

/**
 * Lets kumod load a staged policy as the service would: as root it drops to kumod itself, so that supplementary groups
 * are the service's (none); otherwise it runs as this user. Exit 0 is the only success; findings stand on either stream.
 */
export async function validatePolicy(
	host: Host,
	kumodBin: string | undefined,
	stagedInit: string,
	timeoutMs: number
): Promise<StepResult> {
	if (kumodBin === undefined) {
		return {
			status: 'skipped',
			output:
				'KumoMTA is not installed here (no kumod was found), so it has not judged this policy. Only the panel’s own checks were made.'
		};
	}
	const asKumod = policyAccess(host).kumod === undefined ? [] : ['--user', 'kumod'];
	const result = await host.run(kumodBin, ['--policy', stagedInit, '--validate', ...asKumod], {
		timeoutMs,
		maxBytes: 65_536
	});
	if (result.code === 0 && !result.timedOut)
		return { status: 'ok', output: ['KumoMTA accepts the policy.', streamsOf(result)].filter(Boolean).join('\n') };
	const ending = result.timedOut
		? `kumod did not finish in ${timeoutMs / 1000} s and was ended`
		: `kumod ended with ${result.code === null ? `signal ${result.signal}` : `code ${result.code}`}`;
	return {
		status: 'failed',
		output: [
			`KumoMTA refuses the policy: ${ending}.`,
			...positions(result, stagedInit).map(sentence),
			streamsOf(result)
		].join('\n')
	};
}

const sentence = ({ file, line }: Position) => `At ${file} line ${line}.`;

/**
 * Where Lua saw an error. The chunk of the policy file has no `@` in its name and reads `[string "/path"]:12:`, a file run
 * by dofile reads `path:12:`. Both are cut to 60 characters: the second loses its start, so the last part of a path is
 * kept; the first loses its end and is known by what is left of it.
 */
export function positions({ stdout, stderr }: Pick<RunResult, 'stdout' | 'stderr'>, policyFile: string): Position[] {
	const found = new Map<string, Position>();
	const pattern =
		/(?:\[string "([^"\n]{1,80})"\]|([A-Za-z0-9._/-]{1,80}\.(?:lua|toml)|\.\.\.[A-Za-z0-9._/-]{1,80})):(\d{1,7}):/g;
	for (const [, chunk, path, line] of `${stderr}\n${stdout}`.matchAll(pattern)) {
		const isCut = chunk?.endsWith('...') && policyFile.startsWith(chunk.slice(0, -3));
		const file = basename(isCut ? policyFile : (chunk ?? path ?? ''));
		found.set(`${file}:${line}`, { file, line: Number(line) });
	}
	return [...found.values()].slice(0, 20);
}

function streamsOf({ stdout, stderr }: RunResult): string {
	const named = (name: string, text: string) => (text.trim() === '' ? '' : `${name}:\n${text.trim().slice(0, 8000)}`);
	return [named('stderr', stderr), named('stdout', stdout)].filter(Boolean).join('\n');
}
