import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { expect, test, vi } from 'vitest';
import ConfirmDialog from './ConfirmDialog.svelte';

vi.mock('$app/navigation', () => ({ goto: vi.fn(), invalidate: vi.fn() }));

function show(props: Record<string, unknown> = {}) {
	const onconfirm = vi.fn(() => Promise.resolve());
	render(ConfirmDialog, {
		open: true,
		title: 'Remove news.example?',
		affects: ['12 senders stop sending.'],
		action: 'Remove the domain',
		onconfirm,
		...props
	});
	return onconfirm;
}
const button = () => screen.findByRole<HTMLButtonElement>('button', { name: 'Remove the domain' });

test('it names what will be affected', async () => {
	show();
	expect(await screen.findByRole('dialog', { name: 'Remove news.example?' })).toBeTruthy();
	expect(screen.getByText('12 senders stop sending.')).toBeTruthy();
});

test('nothing happens until the name is typed, not even by Enter', async () => {
	const onconfirm = show({ typeToConfirm: 'news.example' });
	expect((await button()).disabled).toBe(true);
	const field = screen.getByLabelText('Type news.example to confirm');
	await fireEvent.input(field, { target: { value: 'news.exampl' } });
	await fireEvent.submit(field.closest('form') as HTMLFormElement);
	expect(onconfirm).not.toHaveBeenCalled();
	await fireEvent.input(field, { target: { value: 'news.example' } });
	expect((await button()).disabled).toBe(false);
	await fireEvent.click(await button());
	await waitFor(() => expect(onconfirm).toHaveBeenCalledTimes(1));
	await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
});

test('a refusal keeps the dialog open and says why', async () => {
	show({ onconfirm: () => Promise.reject(new Error('A pool still uses it.')) });
	await fireEvent.click(await button());
	expect((await screen.findByRole('alert')).textContent).toContain('A pool still uses it.');
	expect(screen.getByRole('dialog')).toBeTruthy();
});

test('cancel confirms nothing', async () => {
	const onconfirm = show();
	await fireEvent.click(await screen.findByRole('button', { name: 'Cancel' }));
	await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
	expect(onconfirm).not.toHaveBeenCalled();
});
