import { api } from '$lib/api';
import type { AddressLine } from '$lib/shared/address-lines';
import { patiently } from './patiently';

const atOnce = 2000;
/** Shown at most; the file holds the rest. */
const shownErrors = 100;

/** A list on its way to the server, call by call. What is sent stays, also when a later call fails: sending again adds nothing twice. */
export class ListImport {
	sent = $state(0);
	added = $state(0);
	known = $state(0);
	errors: { line: number; address: string; message: string }[] = $state.raw([]);
	wrong = $state(0);

	async send(lines: AddressLine[], domainId: string | null): Promise<void> {
		Object.assign(this, { sent: 0, added: 0, known: 0, errors: [], wrong: 0 });
		for (let from = 0; from < lines.length; from += atOnce) {
			const some = lines.slice(from, from + atOnce);
			const result = await patiently(() =>
				api.suppression.bulk.mutate({ domainId, reason: 'import', add: some.map(({ address }) => address) })
			);
			this.added += result.added;
			this.known += result.known;
			this.wrong += result.errors.length;
			const told = result.errors.flatMap(({ index, message }) => {
				const at = some[index];
				return at === undefined ? [] : [{ line: at.line, address: at.address, message }];
			});
			this.errors = [...this.errors, ...told].slice(0, shownErrors);
			this.sent = from + some.length;
		}
	}
}
