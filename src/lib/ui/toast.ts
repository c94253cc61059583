import { toaster } from './toaster.svelte';

async function show(kind: 'success' | 'error' | 'info', text: string): Promise<void> {
	toaster.isWanted = true;
	const { toast: sonner } = await import('svelte-sonner');
	sonner[kind](text, { duration: kind === 'error' ? 12_000 : 4000 });
}

/** Says in passing that something happened. What a person must act on belongs in a Notice on the page instead. */
export const toast = {
	success: (text: string) => void show('success', text),
	error: (text: string) => void show('error', text),
	info: (text: string) => void show('info', text)
};
