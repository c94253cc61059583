import { fireEvent, render, screen, within } from '@testing-library/svelte';
import { createRawSnippet } from 'svelte';
import { beforeEach, expect, test, vi } from 'vitest';
import DataTable from './DataTable.svelte';

const { goto, page } = vi.hoisted(() => ({ goto: vi.fn(), page: { url: new URL('http://panel.test/domains') } }));
vi.mock('$app/navigation', () => ({ goto, invalidate: vi.fn() }));
vi.mock('$app/state', () => ({ page }));

interface Item {
	id: string;
	name: string;
	senders: number;
}
const items: Item[] = [
	{ id: 'a', name: 'alpha.example', senders: 3 },
	{ id: 'b', name: 'beta.example', senders: 12 }
];
const columns = [
	{ key: 'name', label: 'Domain', sort: 'name' },
	{ key: 'senders', label: 'Senders', num: true }
];
function show(props: Record<string, unknown> = {}, address = '/domains') {
	page.url = new URL(address, 'http://panel.test');
	const list = { items, nextCursor: null, total: 2 };
	return render(DataTable<Item>, { label: 'Domains', columns, page: list, ...props });
}

beforeEach(() => goto.mockClear());

test('the whole row is one link, named by its first column', async () => {
	show({ href: (item: Item) => `/domains/${item.id}` });
	const link = await screen.findByRole('link', { name: 'alpha.example' });
	expect(link.getAttribute('href')).toBe('/domains/a');
	expect(screen.getAllByRole('link')).toHaveLength(2);
});

test('arrow keys go from row to row and stop at the ends', async () => {
	show({ href: (item: Item) => `/domains/${item.id}` });
	const [first, second] = await screen.findAllByRole('link');
	first?.focus();
	await fireEvent.keyDown(first!, { key: 'ArrowDown' });
	expect(document.activeElement).toBe(second);
	await fireEvent.keyDown(second!, { key: 'ArrowDown' });
	expect(document.activeElement).toBe(second);
});

test.each([
	['/domains', 'none', '?sort=name&dir=asc'],
	['/domains?sort=name&dir=asc', 'ascending', '?sort=name&dir=desc'],
	['/domains?sort=name&dir=desc&cursor=c7', 'descending', '?sort=name&dir=asc']
])('%s is sorted %s; its head then leads to %s, on the first page', async (address, now, next) => {
	show({}, address);
	const head = await screen.findByRole('columnheader', { name: /Domain/ });
	expect(head.getAttribute('aria-sort')).toBe(now);
	await fireEvent.click(within(head).getByRole('button'));
	expect(goto).toHaveBeenCalledWith(`/domains${next}`, expect.anything());
});

test('a column the server cannot sort has no button', async () => {
	show();
	const head = await screen.findByRole('columnheader', { name: 'Senders' });
	expect(head.hasAttribute('aria-sort')).toBe(false);
	expect(within(head).queryByRole('button')).toBeNull();
});

test('a search waits for a pause in typing and asks once', async () => {
	vi.useFakeTimers();
	try {
		show({ search: 'Search domains' }, '/domains?cursor=c7');
		const box = screen.getByRole('searchbox', { name: 'Search domains' });
		for (const value of ['n', 'ne', 'news']) await fireEvent.input(box, { target: { value } });
		expect(goto).not.toHaveBeenCalled();
		await vi.advanceTimersByTimeAsync(300);
		expect(goto).toHaveBeenCalledTimes(1);
		expect(goto).toHaveBeenCalledWith('/domains?search=news', expect.objectContaining({ replaceState: true }));
	} finally {
		vi.useRealTimers();
	}
});

test('a promise shows skeleton rows, then the rows', async () => {
	let answer: (list: unknown) => void = () => undefined;
	show({ page: new Promise((resolve) => (answer = resolve)) });
	expect(screen.getByRole('table').getAttribute('aria-busy')).toBe('true');
	expect(screen.queryByText('alpha.example')).toBeNull();
	answer({ items, nextCursor: null, total: 2 });
	expect(await screen.findByText('alpha.example')).toBeTruthy();
	expect(screen.getByRole('table').getAttribute('aria-busy')).toBe('false');
});

test('a list that cannot be read says so and shows no empty state', async () => {
	const empty = createRawSnippet(() => ({ render: () => '<p>No domains yet</p>' }));
	show({ page: Promise.reject(new Error('The list broke.')), empty });
	expect((await screen.findByRole('alert')).textContent).toContain('The list broke.');
	expect(screen.queryByText('No domains yet')).toBeNull();
});

test.each([
	['/domains', 'No domains yet'],
	['/domains?search=zzz', 'Nothing matches “zzz”.']
])('nothing at %s reads "%s"', async (address, text) => {
	const empty = createRawSnippet(() => ({ render: () => '<p>No domains yet</p>' }));
	show({ page: { items: [], nextCursor: null, total: 0 }, search: 'Search', empty }, address);
	expect(await screen.findByText(text, { exact: false })).toBeTruthy();
});

test('pages lead forward by key, say the total, and end', async () => {
	const { rerender } = show({ page: { items, nextCursor: 'c1', total: 120 } });
	const next = await screen.findByRole('link', { name: 'Next' });
	expect(next.getAttribute('href')).toBe('/domains?cursor=c1');
	expect(screen.queryByRole('link', { name: 'Previous' })).toBeNull();
	expect(screen.getByText('2 of 120')).toBeTruthy();
	await rerender({ page: { items, nextCursor: null, total: 120 } });
	expect(screen.queryByRole('link', { name: 'Next' })).toBeNull();
});

test('after a reload in the middle the way back is the first page', async () => {
	show({ page: { items, nextCursor: null, total: 120 }, chronological: true }, '/domains?search=x&cursor=c1');
	const back = await screen.findByRole('link', { name: 'Newer' });
	expect(back.getAttribute('href')).toBe('/domains?search=x');
});
