import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { readDirectory, writeDirectory } from '../../src/lib/server/policy/directory.ts';
import { policyInput } from '../../src/lib/server/policy/input.ts';
import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import { initPart, nodeToml, sourcesPart } from '../../src/lib/server/policy/node.ts';
import { inOrder, sendersInOrder } from '../../src/lib/server/policy/order.ts';
import { renderDirectory } from '../../src/lib/server/policy/render.ts';
import { directoryTables } from '../../src/lib/server/policy/rows.ts';
import type { DirectoryRow } from '../../src/lib/server/policy/rows.ts';
import { canonical } from './canonical.ts';
import { proofEstate } from './estate.ts';
import { fields } from './fields.ts';
import { hostileText } from './hostile-text.ts';
import { createRandom } from './random.ts';

export interface RoundTrips {
	inputs: number;
	/** By the border, before anything is rendered. */
	refused: number;
	rendered: number;
	/** Names of the fields that let some hostile text in. */
	open: Set<string>;
	/** What came back otherwise than it went in. */
	different: { field: string; text: string; what: string }[];
}

const roots = { policy: '/etc/k/policy', dkim: '/etc/k/dkim', tls: '/etc/k/tls', mail: '/var/mail', share: '/usr/k' };

/** An input with something in every field. */
function fullInput(): PolicyInput {
	const input = proofEstate({ domains: 2, senders: 4 });
	const [domain] = input.domains;
	if (domain !== undefined) domain.complaintAddress = `fbl@${domain.bounceHost}`;
	input.settings.tlsName = 'mta.example.net';
	input.settings.relayHostsOverride = ['198.51.100.0/28'];
	input.settings.monitorGlobs = ['/opt/own/*.toml'];
	input.settings.httpApiVerifier = { salt: '00'.repeat(16), hash: 'ab'.repeat(32) };
	return input;
}

/** Hostile text in one field after another, through the border, the renderer, TOML and SQLite, and back. */
export function roundTrips(seed: number, count: number): RoundTrips {
	const random = createRandom(seed);
	const base = fullInput();
	const scratch = mkdtempSync(join(tmpdir(), 'kumomta-ui-proof-'));
	const result: RoundTrips = { inputs: 0, refused: 0, rendered: 0, open: new Set(), different: [] };
	try {
		for (; result.inputs < count; result.inputs += 1) {
			const field = fields[result.inputs % fields.length] as (typeof fields)[number];
			const input = structuredClone(base);
			const text = hostileText(random, field.get(base));
			field.set(input, text);
			const parsed = policyInput.safeParse(input);
			if (!parsed.success) {
				result.refused += 1;
				continue;
			}
			result.rendered += 1;
			if (text !== field.get(base)) result.open.add(field.name);
			const path = join(scratch, `${result.inputs}.sqlite`);
			const what = differenceOf(parsed.data, field.get(parsed.data) === text, path);
			rmSync(path, { force: true });
			if (what !== null) result.different.push({ field: field.name, text, what });
		}
	} finally {
		rmSync(scratch, { recursive: true, force: true });
	}
	return result;
}

/** @param isKept whether the border left the text as it is. */
function differenceOf(input: PolicyInput, isKept: boolean, path: string): string | null {
	if (!isKept) return 'the border changed the text';
	const head = inOrder(input);
	const toml = parse(nodeToml(head, { revision: '1-0123456789ab', roots, probeKeys: [] }));
	const { tls, ...init } = initPart(head);
	const { defaultPool, campaignHeader, httpApiVerifier } = head.settings;
	const expected = {
		...init,
		...sourcesPart(head),
		http: { ...init.http, credential: httpApiVerifier },
		...(defaultPool === null ? {} : { default_pool: defaultPool }),
		...(campaignHeader === null ? {} : { campaign_header: campaignHeader })
	};
	for (const [name, value] of Object.entries(expected))
		if (canonical(toml[name]) !== canonical(value)) return `node.toml: ${name}`;
	if (tls !== null && !JSON.stringify(toml.tls).includes(`/etc/k/tls/${tls}/`)) return 'node.toml: tls';
	const known = [
		'format',
		'revision',
		'live_init',
		'mail_root',
		'suppression_root',
		'dkim_root',
		'share_root',
		'tls',
		...Object.keys(expected)
	];
	const more = Object.keys(toml).find((name) => !known.includes(name));
	return more === undefined ? directoryDifference(input, path) : `node.toml has another table: ${more}`;
}

function directoryDifference(input: PolicyInput, path: string): string | null {
	const rows: DirectoryRow[] = [];
	const renderer = renderDirectory(inOrder(input), (row) => rows.push(row));
	for (const sender of sendersInOrder(input)) renderer.sender(sender);
	renderer.finish();
	try {
		writeDirectory(path, rows);
	} catch (error) {
		return `directory.sqlite: ${String(error)}`;
	}
	const order = ([table, key]: DirectoryRow) => `${String(directoryTables.indexOf(table))} ${key}`;
	const sorted = (list: DirectoryRow[]) => JSON.stringify(list.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)));
	return sorted([...readDirectory(path)]) === sorted(rows) ? null : 'directory.sqlite: rows';
}
