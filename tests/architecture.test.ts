import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

interface Import {
	from: string;
	to: string;
	isType: boolean;
}

const outside = new Set(['core', 'host', 'kumod']);

function filesIn(directory: string): string[] {
	return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile() && /\.(?:ts|svelte)$/.test(entry.name))
		.map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function importsOf(file: string): Import[] {
	const text = readFileSync(join(root, file), 'utf8');
	const found = text.matchAll(
		/^\s*(?:import|export)\s+(type\s)?[^'";]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|^\s*import\s+['"]([^'"]+)['"]/gm
	);
	return [...found].map(([, type, from, dynamic, bare]) => ({
		from: file,
		to: located(file, from ?? dynamic ?? bare ?? ''),
		isType: type !== undefined
	}));
}

/** Paths inside the project relative to its root and without extension; packages as they are written. */
function located(file: string, specifier: string): string {
	const path = specifier.startsWith('$lib/')
		? join('src/lib', specifier.slice(5))
		: specifier.startsWith('.')
			? relative(root, resolve(root, dirname(file), specifier))
			: specifier;
	return path.replace(/\.(?:ts|js)$/, '');
}

const isTest = (file: string) => /\.test\.ts$/.test(file);
const featureOf = (path: string) => /^src\/lib\/server\/([^/]+)\//.exec(path)?.[1];
const allFiles = filesIn('src');
const productive = allFiles.filter((file) => !isTest(file) && !file.includes('/lua/'));
const imports = productive.flatMap(importsOf);

describe('import rules', () => {
	it('sees the code it judges', () => {
		expect(productive.length).toBeGreaterThan(60);
		expect(imports.filter(({ to }) => to.startsWith('src/lib/server/core/')).length).toBeGreaterThan(40);
	});

	it('keeps SvelteKit out of lib/server, so that the command line and tests run the same modules', () => {
		expect(imports.filter(({ from, to }) => from.startsWith('src/lib/server/') && /^\$(?:app|env)\//.test(to))).toEqual(
			[]
		);
	});

	it('gives the browser types only', () => {
		const browser = (file: string) =>
			file.startsWith('src/lib/')
				? !file.startsWith('src/lib/server/')
				: file.startsWith('src/routes/') && !/\+server\.ts$/.test(file);
		expect(
			imports.filter(({ from, to, isType }) => browser(from) && to.startsWith('src/lib/server/') && !isType)
		).toEqual([]);
	});

	it('lets a feature use another feature only through its service and tables', () => {
		const wrong = imports.filter(({ from, to }) => {
			const [own, other] = [featureOf(from), featureOf(to)];
			if (own === undefined || other === undefined || own === other || outside.has(other) || outside.has(own))
				return false;
			return !/\/(?:service|tables)$/.test(to);
		});
		expect(wrong).toEqual([]);
	});

	it('lets nothing inside features import the policy, but health, which looks at everything', () => {
		const may = [undefined, 'policy', 'health'];
		expect(imports.filter(({ from, to }) => featureOf(to) === 'policy' && !may.includes(featureOf(from)))).toEqual([]);
		expect(
			imports.filter(
				({ from, to }) => featureOf(to) === 'health' && !may.slice(0, 1).concat('health').includes(featureOf(from))
			)
		).toEqual([]);
	});

	it('keeps core, host and kumod below every feature', () => {
		const wrong = imports.filter(({ from, to, isType }) => {
			const [own, other] = [featureOf(from), featureOf(to)];
			return own !== undefined && outside.has(own) && other !== undefined && !outside.has(other) && !isType;
		});
		expect(wrong).toEqual([]);
	});

	it('has no cycles between modules', () => {
		const edges = new Map<string, string[]>();
		for (const { from, to, isType } of imports)
			if (!isType) edges.set(from.replace(/\.ts$/, ''), [...(edges.get(from.replace(/\.ts$/, '')) ?? []), to]);
		expect(findCycle(edges)).toBeUndefined();
	});

	it('knows no drawer for odds and ends', () => {
		expect(
			allFiles.filter((file) => /\/(?:utils?|helpers?|common|misc|types|constants|index)\.ts$/.test(file))
		).toEqual([]);
	});

	it('never starts a shell', () => {
		const shell = /shell:\s*true|\bexecSync\(|[^.]\bexec\(\s*[`'"]/;
		expect(
			productive.filter(
				(file) => file.startsWith('src/lib/server/') && shell.test(readFileSync(join(root, file), 'utf8'))
			)
		).toEqual([]);
	});
});

describe('migrations', () => {
	it('are ordered by time, since an older one is skipped in silence', () => {
		const { entries } = JSON.parse(readFileSync(join(root, 'drizzle/meta/_journal.json'), 'utf8')) as {
			entries: { when: number }[];
		};
		const times = entries.map(({ when }) => when);
		expect(times).toEqual([...times].sort((a, b) => a - b));
		expect(times.length).toBe(readdirSync(join(root, 'drizzle')).filter((name) => name.endsWith('.sql')).length);
	});
});

function findCycle(edges: Map<string, string[]>): string[] | undefined {
	const state = new Map<string, 'open' | 'done'>();
	function walk(module: string, path: string[]): string[] | undefined {
		if (state.get(module) === 'done') return undefined;
		if (state.get(module) === 'open') return [...path.slice(path.indexOf(module)), module];
		state.set(module, 'open');
		for (const next of edges.get(module) ?? []) {
			const cycle = walk(next, [...path, module]);
			if (cycle) return cycle;
		}
		state.set(module, 'done');
		return undefined;
	}
	for (const module of edges.keys()) {
		const cycle = walk(module, []);
		if (cycle) return cycle;
	}
	return undefined;
}
