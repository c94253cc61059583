import { api, failure, refresh } from '$lib/api';
import type { Failure, Outputs } from '$lib/api';
import { Latest } from './latest.svelte';

type Planned = Outputs['domains']['dns'];
type Checked = Outputs['domains']['checkDns'];
export type PlannedRecord = Planned['records'][number];
export type CheckedRecord = Checked['records'][number];
export type ShownRecord = PlannedRecord & Partial<Pick<CheckedRecord, 'status' | 'found' | 'advice'>>;

/** What a domain has to publish, and what the last check of this page saw of it. */
export class DomainDns {
	isChecking = $state(false);
	checkFailed: Failure | null = $state.raw(null);
	readonly planned: Latest<Planned>;
	readonly #id: string;
	/** `against`: the values that were asked for then; a record that is another one by now counts as unchecked. */
	#last: { answer: Checked; against: Record<string, string> } | null = $state.raw(null);

	constructor(id: string, read: () => Promise<Planned>) {
		this.#id = id;
		this.planned = new Latest(read);
	}

	get records(): ShownRecord[] | null {
		const { value } = this.planned;
		return value === null ? null : value.records.map((record) => this.#checkedOf(record) ?? record);
	}

	get checkedAt(): number | null {
		return this.#last?.answer.checkedAt ?? null;
	}

	get right(): number {
		return this.records?.filter(({ status }) => status === 'ok').length ?? 0;
	}

	get notes(): Planned['notes'] {
		return this.planned.value?.notes ?? [];
	}

	/** With SPF merged into what is published, as long as the check is about today's records. */
	get zoneFile(): string {
		const isCurrent = this.planned.value?.records.every((record) => this.#checkedOf(record) !== undefined) ?? false;
		return (isCurrent ? this.#last?.answer.zoneFile : undefined) ?? this.planned.value?.zoneFile ?? '';
	}

	async check(): Promise<void> {
		if (this.isChecking) return;
		this.isChecking = true;
		this.checkFailed = null;
		const against = Object.fromEntries(this.planned.value?.records.map(({ id, value }) => [id, value]) ?? []);
		try {
			this.#last = { answer: await api.domains.checkDns.query({ id: this.#id }), against };
			// The check stored on each key what it saw.
			await refresh('dkim');
		} catch (error) {
			this.checkFailed = failure(error);
		} finally {
			this.isChecking = false;
		}
	}

	#checkedOf({ id, value }: PlannedRecord): CheckedRecord | undefined {
		if (this.#last?.against[id] !== value) return undefined;
		return this.#last.answer.records.find((record) => record.id === id);
	}
}
