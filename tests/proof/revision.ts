import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createDirectory } from '../../src/lib/server/policy/directory.ts';
import { policyInput } from '../../src/lib/server/policy/input.ts';
import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import { nodeToml } from '../../src/lib/server/policy/node.ts';
import { inOrder, sendersInOrder } from '../../src/lib/server/policy/order.ts';
import { renderDirectory, shapingToml } from '../../src/lib/server/policy/render.ts';
import { writeSuppression } from '../support/suppression-files.ts';

export interface RenderedRevision {
	directory: string;
	/** Where the key files lie: `<domain>/<selector>.key`. */
	dkim: string;
	/** The suppression lists' files, both empty. */
	suppression: string;
	remove: () => void;
}

/** The program, and the files that the panel renders of this data, in a directory of its own. */
export function renderRevision(given: PolicyInput): RenderedRevision {
	const input = policyInput.parse(given);
	const root = mkdtempSync(join(tmpdir(), 'kumomta-ui-proof-'));
	const directory = join(root, '1-0123456789ab');
	const dkim = join(root, 'dkim');
	mkdirSync(directory);
	const head = inOrder(input);
	const writer = createDirectory(join(directory, 'directory.sqlite'));
	const renderer = renderDirectory(head, writer.put);
	for (const sender of sendersInOrder(input)) renderer.sender(sender);
	renderer.finish();
	writer.commit();
	const roots = { policy: join(root, 'policy'), dkim, tls: join(root, 'tls'), mail: '/var/mail', share: '/usr/share' };
	writeFileSync(join(directory, 'node.toml'), nodeToml(head, { revision: '1-0123456789ab', roots, probeKeys: [] }));
	writeFileSync(join(directory, 'shaping.toml'), shapingToml);
	const suppression = join(root, 'policy', 'suppression');
	writeSuppression(suppression, { base: [], delta: [] });
	copyFileSync(
		fileURLToPath(new URL('../../src/lib/server/policy/program.lua', import.meta.url)),
		join(directory, 'program.lua')
	);
	return { directory, dkim, suppression, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** The double looks whether a key can be read, not into it. */
export function writeKeys(dkim: string, { domains, dkimKeys }: PolicyInput): void {
	const names = new Map(domains.map(({ id, name }) => [id, name]));
	for (const { domainId, selector } of dkimKeys) {
		const directory = join(dkim, names.get(domainId) ?? '');
		mkdirSync(directory, { recursive: true });
		writeFileSync(join(directory, `${selector}.key`), 'a key');
	}
}
