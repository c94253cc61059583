import { api, refresh } from '$lib/api';
import type { Inputs, Outputs } from '$lib/api';

export type Settings = Outputs['settings']['get'];

/** Saves some fields of the settings over the version that is on screen. */
export async function saveSettings(settings: Settings, fields: Inputs['settings']['update']): Promise<Settings> {
	const saved = await api.settings.update.mutate({ version: settings.version, ...fields });
	await refresh('settings');
	return saved;
}

/** Lines of a text area as a list; blank lines fall away. */
export function linesOf(text: string): string[] {
	return text
		.split('\n')
		.map((line) => line.trim())
		.filter(Boolean);
}

/** An empty text field clears what is stored. */
export function orNull(text: string): string | null {
	return text.trim() === '' ? null : text.trim();
}
