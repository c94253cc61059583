/** Offers a text as a file to save. */
export function saveText(fileName: string, text: string, type = 'text/plain'): void {
	const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
	const link = Object.assign(document.createElement('a'), { href: url, download: fileName });
	link.click();
	// The browser reads the address after the click returns.
	setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
