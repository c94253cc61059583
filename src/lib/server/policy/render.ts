import { createHash } from 'node:crypto';
import type { PolicyInput } from './input.ts';
import type { Judgement } from './judge.ts';
import { initPart, sourcesPart } from './node.ts';
import { directoryRows } from './rows.ts';
import type { DirectoryRow } from './rows.ts';

export interface PolicyHashes {
	/** The revision's own: of the data, the program and custom.lua. */
	hash: string;
	/** Settings, sources and pools. */
	nodeHash: string;
	sourcesHash: string;
	directoryHash: string;
	/** What KumoMTA reads at start only, and the program that reads it. */
	initHash: string;
}

/** Traffic shaping of our own: none is needed, and KumoMTA wants the file. It names no source, so none can be unknown. */
export const shapingToml =
	'# Written by KumoMTA UI. Traffic shaping of this server belongs into KumoMTA’s own shaping files.\n';

/** The part of the hash that does not grow: no directory of the machine, no id, no name that only the panel shows. */
export function policyHashes(
	input: PolicyInput,
	{ program, customLua, directoryHash }: { program: Uint8Array; customLua: Uint8Array | null; directoryHash: string }
): PolicyHashes {
	const init = initPart(input);
	const sources = sourcesPart(input);
	const { defaultPool, campaignHeader, httpApiVerifier } = input.settings;
	const verifier = httpApiVerifier === null ? null : [httpApiVerifier.salt, httpApiVerifier.hash];
	const programHash = sha256(program);
	const nodeHash = sha256(JSON.stringify(['node 1', init, defaultPool, campaignHeader, verifier, sources]));
	const custom = customLua === null ? null : sha256(customLua);
	return {
		hash: sha256(JSON.stringify(['policy 1', nodeHash, directoryHash, sha256(shapingToml), programHash, custom])),
		nodeHash,
		sourcesHash: sha256(JSON.stringify(['sources 1', sources])),
		directoryHash,
		initHash: sha256(JSON.stringify(['init 1', init, programHash]))
	};
}

export const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');

/** Passes rows through and hashes them: `<table> <key> NUL <value> LF`, none of which can stand inside a part. */
export function hashingRows(rows: Iterable<DirectoryRow>): { rows: Iterable<DirectoryRow>; digest(): string } {
	const hash = createHash('sha256');
	let chunk = '';
	function* passed() {
		for (const row of rows) {
			chunk += `${row[0]} ${row[1]}\0${row[2]}\n`;
			if (chunk.length > 65_536) {
				hash.update(chunk);
				chunk = '';
			}
			yield row;
		}
	}
	return { rows: passed(), digest: () => hash.update(chunk).digest('hex') };
}

/** The directory of an ordered input: its rows, hashed as they pass. */
export function renderDirectory(input: PolicyInput, judgement: Judgement) {
	return hashingRows(directoryRows(input, judgement));
}
