import { api } from '$lib/api';
import type { Outputs } from '$lib/api';

type Domain = Outputs['domains']['list']['items'][number];

/** How many names are offered; with more domains one types further. */
const offered = 20;
const pauseMs = 200;

/** The server searches names as A-labels (RFC 5891): a whole name in Unicode has to be asked for as one. */
function asciiName(text: string): string {
	if (/^[\x20-\x7e]*$/.test(text)) return text;
	return URL.parse(`http://${text}`)?.hostname ?? text;
}

/** A domain being chosen by typing, out of however many there are: the server searches. */
export class DomainChoice {
	text = $state('');
	found: Domain[] = $state.raw([]);
	chosen: Domain | null = $state.raw(null);
	isSearching = $state(false);
	#timer: ReturnType<typeof setTimeout> | undefined;
	#asked = 0;

	choose(domain: Domain): void {
		this.chosen = domain;
		this.text = domain.displayName;
		this.found = [domain];
	}

	clear(): void {
		this.chosen = null;
		this.text = '';
	}

	/** Takes the name at once when it was among the ones offered, else asks after a pause. */
	type(text: string): void {
		this.text = text;
		this.chosen = this.#match();
		clearTimeout(this.#timer);
		if (this.chosen === null) this.#timer = setTimeout(() => void this.search().catch(() => undefined), pauseMs);
	}

	/** Asks for names like the text; the newest question wins. */
	async search(): Promise<void> {
		const asked = (this.#asked += 1);
		this.isSearching = true;
		try {
			const search = asciiName(this.text.trim()).slice(0, 100);
			const { items } = await api.domains.list.query({ limit: offered, ...(search === '' ? {} : { search }) });
			if (asked !== this.#asked) return;
			this.found = items;
			this.chosen ??= this.#match();
		} finally {
			if (asked === this.#asked) this.isSearching = false;
		}
	}

	/** The domain whose whole name was typed, asking the server when needed; null when there is none. */
	async resolve(): Promise<Domain | null> {
		clearTimeout(this.#timer);
		if (this.chosen === null && this.text.trim() !== '') await this.search();
		return this.chosen;
	}

	#match(): Domain | null {
		const typed = this.text.trim().toLowerCase();
		return this.found.find(({ name, displayName }) => typed === name || typed === displayName) ?? null;
	}
}
