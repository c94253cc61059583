/** Becomes true with the first message: only then the root layout loads the toaster, outside the first load. */
export const toaster = $state({ isWanted: false });

/** Says in passing that something happened. What a person must act on belongs in a Notice on the page instead. */
export async function notify(text: string, kind: 'ok' | 'bad' | 'info' = 'ok'): Promise<void> {
	toaster.isWanted = true;
	const { toast } = await import('svelte-sonner');
	if (kind === 'ok') toast.success(text);
	else if (kind === 'bad') toast.error(text, { duration: 12_000 });
	else toast(text);
}
