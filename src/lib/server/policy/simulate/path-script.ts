import { z } from 'zod';
import type { PathLimit } from './inputs.ts';

/** The ready queue of one destination through one source, by KumoMTA's names. */
export interface AskedPath {
	domain: string;
	source: string;
}

const mark = 'kumomta-ui-path ';

/**
 * A policy for `kumod --script`: it loads a revision's own program and answers, one line each, the path configuration of
 * the pairs of domain and source that stand behind `--`. Listeners and the spool stay closed, since `init` does not run.
 * (KumoMTA's own assets/resolve-shaping-domain asks in the same way; reference: kumo.invoke_get_egress_path_config.)
 * @param directory of the revision; of letters, digits and `._/-`, as it stands in Lua
 */
export function pathScript(directory: string): string {
	if (!/^[A-Za-z0-9._/-]+$/.test(directory))
		throw new Error('The revision directory has a name that may not stand in Lua.');
	return `local kumo = require 'kumo'
KUMOMTA_UI_REVISION_DIRECTORY = '${directory}'
dofile(KUMOMTA_UI_REVISION_DIRECTORY .. '/program.lua')
kumo.on('main', function(...)
	local asked = { ... }
	for at = 1, #asked - 1, 2 do
		local answered, config = pcall(function()
			local site = kumo.dns.lookup_mx(asked[at]).site_name
			return kumo.invoke_get_egress_path_config(asked[at], asked[at + 1], site)
		end)
		if answered then
			print('${mark}' .. kumo.serde.json_encode { at = at, config = config })
		end
	end
end)
`;
}

export const argumentsOf = (paths: AskedPath[]): string[] => paths.flatMap(({ domain, source }) => [domain, source]);

const answer = z.object({ at: z.int(), config: z.record(z.string(), z.unknown()) });
const limit = z.union([z.string().max(200), z.number()]).transform(String);
const namedLimits = z.record(z.string().max(200), limit).catch({});

/** What a message can be held up by (reference: kumo.make_egress_path). */
const single = ['connection_limit', 'max_connection_rate', 'max_deliveries_per_connection', 'max_message_rate'];
const several = [
	'additional_connection_limits',
	'additional_message_rate_throttles',
	'additional_source_selection_rates'
];

/** The limits of each path, in the order that was asked; undefined where KumoMTA said none of it. */
export function limitsIn(output: string, paths: AskedPath[]): (PathLimit[] | undefined)[] {
	const found = new Map<number, PathLimit[]>();
	for (const line of output.split('\n')) {
		if (!line.startsWith(mark)) continue;
		const { success, data } = answer.safeParse(parsed(line.slice(mark.length)));
		if (success) found.set(data.at, limitsOf(data.config));
	}
	return paths.map((_, index) => found.get(index * 2 + 1));
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// A line that was cut off says nothing.
		return undefined;
	}
}

function limitsOf(config: Record<string, unknown>): PathLimit[] {
	const limits: PathLimit[] = [];
	for (const name of single) {
		const { success, data } = limit.safeParse(config[name]);
		if (success) limits.push({ name, limit: data });
	}
	for (const group of several)
		for (const [name, value] of Object.entries(namedLimits.parse(config[group])).slice(0, 50))
			limits.push({ name, limit: value });
	return limits;
}
