import { createHash } from 'node:crypto';
import type { PolicyHead, PolicySender } from './input.ts';
import { openJudge } from './judge.ts';
import type { Judgement } from './judge.ts';
import { initPart, sourcesPart } from './node.ts';
import { headRows, senderRows } from './rows.ts';
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
	input: PolicyHead,
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

/**
 * Renders a directory while its senders pass: each row is put where it belongs, and hashed. A tenant's row follows from
 * its sender's and needs no hashing.
 */
export interface DirectoryRenderer {
	/** Ordered by address. */
	sender: (sender: PolicySender) => void;
	/** After the last sender. */
	finish: () => { judgement: Judgement; directoryHash: string };
}

/** @param head ordered by `inOrder`. */
export function renderDirectory(head: PolicyHead, put: (row: DirectoryRow) => void): DirectoryRenderer {
	const judge = openJudge(head);
	const pools = new Map(head.pools.map(({ id, name }) => [id, name]));
	const domains = new Map(head.domains.map(({ id, name }) => [id, name]));
	const rowHash = openRowHash();
	return {
		sender(sender) {
			if (!judge.sender(sender)) return;
			const names = { domain: domains.get(sender.domainId) ?? '', pool: pools.get(sender.poolId) ?? '' };
			for (const row of senderRows(sender, names)) {
				if (row[0] === 'sender') rowHash.add(row);
				put(row);
			}
		},
		finish() {
			const judgement = judge.finish();
			for (const row of headRows(head, judgement)) {
				rowHash.add(row);
				put(row);
			}
			return { judgement, directoryHash: rowHash.digest() };
		}
	};
}

/** SHA-256 over `<table> <key> NUL <value> LF`: none of the separators can stand inside a part. */
function openRowHash(): { add: (row: DirectoryRow) => void; digest: () => string } {
	const hash = createHash('sha256');
	let chunk = '';
	return {
		add([table, key, value]) {
			chunk += `${table} ${key}\0${value}\n`;
			if (chunk.length < 65_536) return;
			hash.update(chunk);
			chunk = '';
		},
		digest: () => hash.update(chunk).digest('hex')
	};
}
