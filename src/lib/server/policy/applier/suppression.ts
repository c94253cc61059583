import { stageSuppressionFile, suppressionRoots } from '../../suppression/service.ts';
import type { Applier, Taken } from './applier-parts.ts';
import { damaged } from './lines.ts';
import { rowsLine } from './request.ts';
import type { WishOf } from './request.ts';

/** Places one of the two suppression files, made here of rows that are looked at one by one. */
export async function placeSuppression(
	{ host, roots, places }: Applier,
	{ wish, lines }: Taken<WishOf<'suppression'>>
): Promise<void> {
	const files = suppressionRoots(places.kumomtaRoot);
	// Made by the first apply: before it nobody would read them.
	if ((await host.files.stat(roots.policy))?.kind !== 'directory') throw damaged('came before the first apply');
	const staged = await stageSuppressionFile(host, files, {
		name: wish.name,
		about: wish.about,
		pages: pagesIn(lines, wish.name)
	});
	await staged.place();
}

async function* pagesIn(lines: AsyncIterator<unknown>, name: 'base' | 'delta'): AsyncGenerator<string> {
	for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
		const rows = rowsLine.safeParse(line.value);
		if (!rows.success) throw damaged('holds a row that no list can hold');
		// Only a delta says that somebody is no longer suppressed.
		if (name === 'base' && rows.data[1].some(([, , reason]) => reason === ''))
			throw damaged('holds a row of the other file');
		yield JSON.stringify(rows.data[1]);
	}
}
