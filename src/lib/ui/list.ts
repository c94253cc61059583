export interface ListQuery<Sort extends string = string> {
	search?: string;
	sort?: { by: Sort; dir: 'asc' | 'desc' };
	cursor?: string;
}

export interface ListPage<Item> {
	items: Item[];
	nextCursor: string | null;
	total: number;
	/** False: there are more than `total`, which was counted up to a bound. */
	totalIsExact?: boolean;
}

/**
 * What a list's address asks for, ready for `api.<noun>.list.query`: `?search=&sort=name&dir=desc&cursor=`.
 * A sort that is not among `sorts` is left out, so that an old bookmark opens the default order.
 */
export function listQuery<const Sort extends string>(url: URL, sorts: readonly Sort[]): ListQuery<Sort> {
	const { searchParams: parameters } = url;
	const search = parameters.get('search')?.trim().slice(0, 100);
	const by = sorts.find((sort) => sort === parameters.get('sort'));
	const cursor = parameters.get('cursor');
	return {
		...(search ? { search } : {}),
		...(by ? { sort: { by, dir: parameters.get('dir') === 'desc' ? 'desc' : 'asc' } } : {}),
		...(cursor ? { cursor } : {})
	};
}

/** The same address with other parameters; null takes one out. Whatever changes search or order leaves the page. */
export function listAddress(url: URL, changes: Record<string, string | null>): string {
	const parameters = new URLSearchParams(url.search);
	if (!('cursor' in changes)) parameters.delete('cursor');
	for (const [name, value] of Object.entries(changes)) {
		if (value === null || value === '') parameters.delete(name);
		else parameters.set(name, value);
	}
	const query = parameters.toString();
	return url.pathname + (query === '' ? '' : `?${query}`);
}
