import { api, failure } from '$lib/api';
import { partsOf } from './csv-parts';

/** Every part is one call; past the budget of calls the server says how long to wait. */
const patience = 20;

/** One file on its way to the server, part by part. */
export class Upload {
	sent = $state(0);
	parts = $state(0);
	isSlowed = $state(false);

	/** @returns the import's id. What went up before an error is discarded, so that no half file stays behind. */
	async send(text: string): Promise<string> {
		const parts = partsOf(text);
		this.sent = 0;
		this.parts = parts.length;
		const { id } = await api.imports.create.mutate({ kind: 'domains-and-senders' });
		try {
			for (const [part, piece] of parts.entries()) {
				await this.#append({ id, part, text: piece });
				this.sent = part + 1;
			}
		} catch (error) {
			await api.imports.discard.mutate({ id }).catch(() => undefined);
			throw error;
		} finally {
			this.parts = 0;
		}
		return id;
	}

	async #append(part: { id: string; part: number; text: string }): Promise<void> {
		for (let tries = 1; ; tries += 1) {
			try {
				await api.imports.append.mutate(part);
				return;
			} catch (error) {
				const { retryAfterMs } = failure(error);
				if (retryAfterMs === undefined || tries === patience) throw error;
				this.isSlowed = true;
				await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
				this.isSlowed = false;
			}
		}
	}
}

/** @throws when it is no text in UTF-8. */
export async function readCsvFile(file: File): Promise<string> {
	const bytes = await file.arrayBuffer();
	try {
		// The mark that spreadsheets put in front is left out.
		const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
		if (!text.includes('\0')) return text;
	} catch {
		// Said below.
	}
	throw new Error(
		`${file.name} is not a text file in UTF-8. Nothing was uploaded. Save it as CSV in UTF-8 and try again.`
	);
}
