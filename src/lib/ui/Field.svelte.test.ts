import { fireEvent, render, screen } from '@testing-library/svelte';
import { expect, test, vi } from 'vitest';
import Field from './Field.svelte';
import { FormState } from './form.svelte';

vi.mock('$app/navigation', () => ({ goto: vi.fn(), invalidate: vi.fn() }));

const formOf = <Values extends object>(values: Values) => new FormState(values, { send: () => Promise.resolve() });

test('the error and the hint are what the control is described by', () => {
	render(Field, { label: 'Port', name: 'port', hint: 'From 1 to 65535.', error: 'Taken.', value: '' });
	const input = screen.getByLabelText('Port');
	const described = (input.getAttribute('aria-describedby') ?? '').split(' ');
	expect(described.map((id) => document.getElementById(id)?.textContent.trim())).toEqual([
		'Taken.',
		'From 1 to 65535.'
	]);
	expect(input.getAttribute('aria-invalid')).toBe('true');
});

test('without an error nothing claims to be invalid', () => {
	render(Field, { label: 'Name', name: 'name', value: '' });
	const input = screen.getByLabelText('Name');
	expect(input.hasAttribute('aria-invalid')).toBe(false);
	expect(input.hasAttribute('aria-describedby')).toBe(false);
});

test('a path reaches into the values, and typing takes the error away', async () => {
	const form = formOf({ listeners: [{ port: 25 }] });
	form.errors['listeners.0.port'] = 'Taken.';
	render(Field, { form: form as never, label: 'Port', name: 'listeners.0.port', type: 'number' });
	const input = screen.getByLabelText<HTMLInputElement>('Port');
	expect(input.value).toBe('25');
	await fireEvent.input(input, { target: { value: '587' } });
	expect(form.values.listeners[0]?.port).toBe(587);
	expect(form.errors).toEqual({});
	expect(screen.queryByText('Taken.')).toBeNull();
});

test('an emptied number is none, not zero and not a text', async () => {
	const form = formOf({ perHour: 2000 });
	render(Field, { form: form as never, label: 'An hour', name: 'perHour', type: 'number' });
	await fireEvent.input(screen.getByLabelText('An hour'), { target: { value: '' } });
	expect(form.values.perHour).toBeNull();
});

test.each<[type: 'checkbox' | 'select' | 'textarea', act: (control: HTMLElement) => Promise<unknown>, value: unknown]>([
	['checkbox', (control) => fireEvent.click(control), true],
	['select', (control) => fireEvent.change(control, { target: { value: 'b' } }), 'b'],
	['textarea', (control) => fireEvent.input(control, { target: { value: 'two\nlines' } }), 'two\nlines']
])('a %s writes into the form', async (type, act, value) => {
	const form = formOf({ it: type === 'checkbox' ? false : 'a' });
	const options = [
		{ value: 'a', label: 'A' },
		{ value: 'b', label: 'B' }
	];
	render(Field, { form: form as never, label: 'It', name: 'it', type, options });
	await act(screen.getByLabelText('It'));
	expect(form.values.it).toEqual(value);
});

test('a secret is hidden until asked for, and a generated one is long and shown', async () => {
	const form = formOf({ password: '' });
	render(Field, { form: form as never, label: 'Password', name: 'password', type: 'secret', generate: true });
	const input = screen.getByLabelText<HTMLInputElement>('Password');
	expect(input.type).toBe('password');
	await fireEvent.click(screen.getByRole('button', { name: 'Generate one' }));
	expect(form.values.password).toMatch(/^[A-Za-z2-9]{24}$/);
	expect(input.type).toBe('text');
	await fireEvent.click(screen.getByRole('button', { name: 'Hide it' }));
	expect(input.type).toBe('password');
});
