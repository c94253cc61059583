import { dirname } from 'node:path';
import type { Policy } from '../../src/lib/server/policy/lua/vm.ts';

/** Records every file, SQL text and global of a running policy from now on, inside its Lua. */
export function watch(policy: Policy): void {
	policy.evaluate(`
		SEEN = { files = {}, queries = {}, globals = {} }
		for _, name in ipairs { 'is_readable', 'read_file', 'toml_load' } do
			local original = HOST[name]
			HOST[name] = function(path)
				SEEN.files[path] = true
				return original(path)
			end
		end
		local sqlite, open = HOST.sqlite, HOST.sqlite_open
		HOST.sqlite = function(connection, sql, ...)
			SEEN.queries[sql] = true
			return sqlite(connection, sql, ...)
		end
		HOST.sqlite_open = function(path)
			SEEN.files[path] = true
			return open(path)
		end
		for name in pairs(_G) do
			SEEN.globals[name] = true
		end
		STRING_META = getmetatable('').__index
	`);
}

const names = (policy: Policy, expression: string): string[] => {
	const text = policy.evaluate(
		`local list = {} for name in pairs(${expression}) do list[#list + 1] = tostring(name) end return table.concat(list, '\\n')`
	);
	return String(text).split('\n').filter(Boolean);
};

const queries =
	/^(?:SELECT value FROM (?:domain|bounce_host|sender|tenant|mailbox) WHERE key = \?|SELECT scope \|\| ' ' \|\| reason FROM suppressed WHERE address = \? AND scope IN \('', \?\)|PRAGMA (?:query_only = 1|cache_size = -512|user_version))$/;

/** What the policy did besides answering: each line is one thing that it never may. */
export function effects(policy: Policy, { directory, dkim }: { directory: string; dkim: string }): string[] {
	const found: string[] = [];
	const key = new RegExp(`^${dkim}/d\\d{5}\\.example/k[12]\\.key$`);
	const list = new RegExp(`^${dirname(directory)}/policy/suppression/(?:base|delta)\\.sqlite$`);
	for (const path of names(policy, 'SEEN.files'))
		if (path !== `${directory}/directory.sqlite` && !key.test(path) && !list.test(path))
			found.push(`opened ${JSON.stringify(path)}`);
	for (const sql of names(policy, 'SEEN.queries')) if (!queries.test(sql)) found.push(`asked ${JSON.stringify(sql)}`);
	const before = new Set([...names(policy, 'SEEN.globals'), 'STRING_META', 'SEEN']);
	for (const name of names(policy, '_G')) if (!before.has(name)) found.push(`made the global ${JSON.stringify(name)}`);
	if (policy.evaluate("return STRING_META == string and getmetatable('').__index == string") !== true)
		found.push('changed the methods of strings');
	const { logs, printed, failed } = policy.observed();
	if (printed.length > 0 || failed) found.push(`printed ${JSON.stringify(printed.slice(0, 3))}`);
	if (logs.length > 0) found.push(`logged ${JSON.stringify(logs.slice(0, 3))}`);
	return found;
}
