import { afterEach, describe, expect, it, vi } from 'vitest';
import { findField, reachField } from './reach-field';

const draw = (html: string) => (document.body.innerHTML = html);
afterEach(() => draw(''));

describe('the field of an address', () => {
	const form = `<section id="dkim"></section>
		<input name="hostname" /><textarea name="relayHosts"></textarea>
		<input name="listeners.0.port" /><input name="listeners.1.port" />`;
	it.each([
		['hostname', false, 'hostname'],
		['listeners.1.port', false, 'listeners.1.port'],
		['relayHosts.7', false, 'relayHosts'],
		['listeners', false, 'listeners.0.port'],
		['dkim', false, 'dkim'],
		['listeners.9.port', false, undefined],
		['listeners.9.port', true, 'listeners.0.port'],
		['elsewhere', true, undefined]
	])('%s', (path, wide, found) => {
		draw(form);
		const element = findField(document, path, wide);
		expect(element?.getAttribute('name') ?? element?.id).toBe(found);
	});

	it('is waited for and takes the focus; an address that names none does nothing', async () => {
		vi.useFakeTimers();
		Element.prototype.scrollIntoView = () => {};
		reachField('#field="]');
		reachField('#field=hostname');
		await vi.advanceTimersByTimeAsync(500);
		draw(form);
		await vi.advanceTimersByTimeAsync(100);
		expect(document.activeElement?.getAttribute('name')).toBe('hostname');
		vi.useRealTimers();
	});
});
