import { tick } from 'svelte';
import { failure } from '$lib/api';
import type { Failure } from '$lib/api';

export interface FormOptions<Values, Result> {
	/** Sends the values; a rejected promise becomes errors beside the fields and a banner. */
	send: (values: Values) => Promise<Result>;
	/** Runs after the server said yes. */
	done?: (result: Result) => unknown;
	/** Rules worth telling before the server is asked: path to message. */
	check?: (values: Values) => Record<string, string | undefined>;
}

/** The state of one form: values, errors by input path, and what the last submit did. */
export class FormState<Values extends object, Result = unknown> {
	values: Values = $state() as Values;
	errors: Record<string, string> = $state({});
	/** What is wrong and belongs to no field on screen. */
	banner: Failure | null = $state(null);
	busy = $state(false);
	/** Set by Form.svelte; errors are focused inside it. */
	element: HTMLFormElement | undefined;
	readonly #options: FormOptions<Values, Result>;
	/** Only asked when an answer comes: nothing on screen depends on it. */
	// eslint-disable-next-line svelte/prefer-svelte-reactivity
	readonly #fields = new Map<string, number>();
	#saved: string = $state('');

	constructor(initial: Values, options: FormOptions<Values, Result>) {
		this.values = initial;
		this.#saved = JSON.stringify(initial);
		this.#options = options;
	}

	/** True when something was typed that is not saved. */
	get isDirty(): boolean {
		return JSON.stringify(this.values) !== this.#saved;
	}

	/** Forgets errors and starts from these values, for example after a reload of the data. */
	reset(values: Values): void {
		this.values = values;
		this.#saved = JSON.stringify(values);
		this.errors = {};
		this.banner = null;
	}

	/** The value at a path such as `listeners.0.port`. */
	get(path: string): unknown {
		return path
			.split('.')
			.reduce<unknown>((value, key) => (value as Record<string, unknown> | null | undefined)?.[key], this.values);
	}

	set(path: string, value: unknown): void {
		const keys = path.split('.');
		const last = keys.pop() ?? '';
		const parent = keys.length === 0 ? this.values : this.get(keys.join('.'));
		(parent as Record<string, unknown>)[last] = value;
		delete this.errors[path];
	}

	/** A field on screen takes the errors of its path; the rest go to the banner. Returns how to leave. */
	join(path: string): () => void {
		this.#fields.set(path, (this.#fields.get(path) ?? 0) + 1);
		return () => {
			const left = (this.#fields.get(path) ?? 1) - 1;
			if (left > 0) this.#fields.set(path, left);
			else this.#fields.delete(path);
		};
	}

	/** @returns the server's answer, or undefined when it refused or a submit is under way. */
	async submit(): Promise<Result | undefined> {
		if (this.busy) return undefined;
		this.banner = null;
		this.errors = this.#localErrors();
		if (Object.keys(this.errors).length > 0) {
			await this.#focusFirstError();
			return undefined;
		}
		this.busy = true;
		try {
			const values: unknown = $state.snapshot(this.values);
			const result = await this.#options.send(values as Values);
			this.#saved = JSON.stringify(this.values);
			await this.#options.done?.(result);
			return result;
		} catch (error) {
			this.#show(failure(error));
			this.busy = false;
			await this.#focusFirstError();
			return undefined;
		} finally {
			this.busy = false;
		}
	}

	#localErrors(): Record<string, string> {
		const found = Object.entries(this.#options.check?.(this.values) ?? {});
		return Object.fromEntries(found.filter((entry): entry is [string, string] => entry[1] !== undefined));
	}

	#show(failed: Failure): void {
		const homeless: string[] = [];
		for (const [path, messages] of Object.entries(failed.fieldErrors)) {
			const field = this.#fieldFor(path);
			if (field === undefined) homeless.push(...messages.filter((message) => message !== failed.message));
			else this.errors[field] = [this.errors[field], ...messages].filter(Boolean).join(' ');
		}
		const isAllBeside = Object.keys(this.errors).length > 0 && homeless.length === 0;
		if (!isAllBeside) this.banner = { ...failed, message: [failed.message, ...homeless].join(' ') };
	}

	/** The field of this path, or the nearest field around it. */
	#fieldFor(path: string): string | undefined {
		const keys = path.split('.');
		for (let length = keys.length; length > 0; length--) {
			const candidate = keys.slice(0, length).join('.');
			if (this.#fields.has(candidate)) return candidate;
		}
		return undefined;
	}

	async #focusFirstError(): Promise<void> {
		await tick();
		this.element?.querySelector<HTMLElement>('[aria-invalid="true"], [data-form-banner]')?.focus();
	}
}
