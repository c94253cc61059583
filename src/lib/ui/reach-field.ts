const patienceMs = 5000;

/**
 * Brings the field that an address names (`#field=listeners.1.port`) into view and gives it the focus. A page that still
 * loads is waited for; where the very field is not there, the nearest thing around it is taken.
 */
export function reachField(hash: string, root: Document = document): void {
	const path = /^#field=([A-Za-z0-9.]{1,100})$/.exec(hash)?.[1];
	if (path === undefined) return;
	const until = Date.now() + patienceMs;
	const look = () => {
		const isLast = Date.now() >= until;
		const found = findField(root, path, isLast);
		if (found !== undefined) reach(found);
		else if (!isLast) setTimeout(look, 100);
	};
	look();
}

/** @param wide also what is around the field: `listeners` for `listeners.1.port`. */
export function findField(root: ParentNode, path: string, wide: boolean): HTMLElement | undefined {
	for (let name = path; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
		const found = root.querySelector<HTMLElement>(`[name="${name}"], [id="${name}"], [name^="${name}."]`);
		if (found !== null) return found;
		// The last part of `relayHosts.3` is a line of one text.
		if (!wide && !/\.\d+$/.test(name)) return undefined;
	}
	return undefined;
}

function reach(element: HTMLElement): void {
	element.scrollIntoView({ block: 'center' });
	if (!element.matches('input, select, textarea, button, a')) element.tabIndex = -1;
	element.focus({ preventScroll: true });
}
