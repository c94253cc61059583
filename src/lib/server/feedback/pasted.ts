import { inspect } from 'node:util';

/** A stranger's message that somebody pasted: the audit log and the server's log get its size alone. */
export class Pasted {
	readonly #text: string;

	constructor(text: string) {
		this.#text = text;
	}

	/** As bytes, how a message is. */
	bytes(): Buffer {
		return Buffer.from(this.#text);
	}

	toString(): string {
		return `[${this.#text.length} characters, not kept]`;
	}

	toJSON(): string {
		return this.toString();
	}

	[inspect.custom](): string {
		return this.toString();
	}
}
