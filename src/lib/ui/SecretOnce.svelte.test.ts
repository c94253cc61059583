import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, test, vi } from 'vitest';
import SecretOnce from './SecretOnce.svelte';

afterEach(() => vi.unstubAllGlobals());

const props = { what: 'Password of news@example.com', secret: 'kR7wq9', ondone: () => undefined };
const copyButton = () => screen.getByRole('button', { name: 'Copy the password' });

function stubClipboard(writeText: (text: string) => Promise<void>) {
	vi.stubGlobal('navigator', { ...navigator, clipboard: { writeText } });
}

test('it shows the secret, whose it is, and that this is the only time', () => {
	render(SecretOnce, props);
	const region = screen.getByRole('region', { name: 'Password of news@example.com' });
	expect(region.textContent).toContain('kR7wq9');
	expect(region.textContent).toContain('shown once');
});

test('copying copies exactly the secret', async () => {
	const writeText = vi.fn(() => Promise.resolve());
	stubClipboard(writeText);
	render(SecretOnce, props);
	await fireEvent.click(copyButton());
	expect(writeText).toHaveBeenCalledWith('kR7wq9');
	expect((await screen.findByRole('status')).textContent).toBe('Copied');
});

test('a browser that refuses is not reported as copied', async () => {
	stubClipboard(() => Promise.reject(new Error('denied')));
	render(SecretOnce, props);
	await fireEvent.click(copyButton());
	await vi.waitFor(() => expect(screen.getByRole('status').textContent).toContain('refused'));
});

test('it goes only when the person says so', async () => {
	const ondone = vi.fn();
	render(SecretOnce, { ...props, ondone });
	expect(ondone).not.toHaveBeenCalled();
	await fireEvent.click(screen.getByRole('button', { name: 'I have copied it' }));
	expect(ondone).toHaveBeenCalledTimes(1);
});
