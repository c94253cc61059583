import { fireEvent, render, screen } from '@testing-library/svelte';
import { TRPCClientError } from '@trpc/client';
import { createRawSnippet, mount, unmount } from 'svelte';
import { expect, test, vi } from 'vitest';
import Field from './Field.svelte';
import Form from './Form.svelte';
import { FormState } from './form.svelte';

vi.mock('$app/navigation', () => ({ goto: vi.fn(), invalidate: vi.fn() }));

interface Values {
	name: string;
	limits: { perHour: number | null };
}

function refusal(data: Record<string, unknown>, message = 'Some fields are not right.') {
	return TRPCClientError.from({ error: { code: -32600, message, data: { code: 'BAD_REQUEST', ...data } } } as never);
}

/** A form with two fields, `name` and `limits`, that sends to `send`. */
function show(options: Partial<ConstructorParameters<typeof FormState<Values, string>>[1]>) {
	const form = new FormState<Values, string>(
		{ name: '', limits: { perHour: null } },
		{ send: () => Promise.resolve('saved'), ...options }
	);
	const children = createRawSnippet(() => ({
		render: () => '<div></div>',
		setup: (target) => {
			const fields = ['name', 'limits'].map((name) =>
				mount(Field, { target, props: { form, name, label: name } as never })
			);
			return () => fields.forEach((field) => void unmount(field));
		}
	}));
	render(Form, { form, children } as never);
	return form;
}

test('errors of the server stand beside their fields, and the first one has the focus', async () => {
	const form = show({
		send: () => Promise.reject(refusal({ fieldErrors: { limits: ['Only one.'], name: ['Taken.'] } }))
	});
	await form.submit();
	expect(form.errors).toEqual({ name: 'Taken.', limits: 'Only one.' });
	expect(form.banner).toBeNull();
	expect(document.activeElement).toBe(screen.getByLabelText('name'));
	expect(form.busy).toBe(false);
});

test('an error below a field goes to that field; one without a field is never lost', async () => {
	const form = show({
		send: () => Promise.reject(refusal({ fieldErrors: { 'limits.perHour': ['Too many.'], 'secret.path': ['No.'] } }))
	});
	await form.submit();
	expect(form.errors).toEqual({ limits: 'Too many.' });
	expect(form.banner?.message).toBe('Some fields are not right. No.');
});

test('an unknown error is a banner with the number of the request, read out at once', async () => {
	const form = show({
		send: () => Promise.reject(refusal({ code: 'INTERNAL_SERVER_ERROR', requestId: 'req-77' }, 'Something went wrong.'))
	});
	await form.submit();
	expect((await screen.findByRole('alert')).textContent).toMatch(/Something went wrong\.[\s\S]*req-77/);
	expect(document.activeElement?.hasAttribute('data-form-banner')).toBe(true);
});

test('no answer at all is said in words', async () => {
	const form = show({ send: () => Promise.reject(TRPCClientError.from(new TypeError('Failed to fetch'))) });
	await form.submit();
	expect(form.banner).toMatchObject({ code: 'NETWORK' });
	expect(form.banner?.message).toContain('did not answer');
	expect(form.banner?.message).not.toContain('Failed to fetch');
});

test('nothing is sent while a local rule is broken', async () => {
	const send = vi.fn(() => Promise.resolve('saved'));
	const form = show({ send, check: ({ name }) => ({ name: name === '' ? 'Type a name.' : undefined }) });
	await form.submit();
	expect(send).not.toHaveBeenCalled();
	expect(form.errors).toEqual({ name: 'Type a name.' });
});

test('a second submit while the first is under way sends nothing', async () => {
	let answer: (text: string) => void = () => undefined;
	const send = vi.fn(() => new Promise<string>((resolve) => (answer = resolve)));
	const form = show({ send });
	const first = form.submit();
	expect(form.busy).toBe(true);
	expect(await form.submit()).toBeUndefined();
	answer('saved');
	expect(await first).toBe('saved');
	expect(send).toHaveBeenCalledTimes(1);
	expect(form.busy).toBe(false);
});

test('what is sent is a plain copy, and it counts as saved', async () => {
	const send = vi.fn((_values: Values) => Promise.resolve('saved'));
	const form = show({ send });
	await fireEvent.input(screen.getByLabelText('name'), { target: { value: 'news.example' } });
	expect(form.isDirty).toBe(true);
	await form.submit();
	expect(send).toHaveBeenCalledWith({ name: 'news.example', limits: { perHour: null } });
	expect(form.isDirty).toBe(false);
});
