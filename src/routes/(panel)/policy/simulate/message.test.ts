import { describe, expect, it } from 'vitest';
import { messageOf, queryOf, usualMessage, valuesOf, withLogin } from './message.ts';
import type { MessageValues } from './message.ts';

const usual = usualMessage('news@example.com');

describe('a link to the form', () => {
	it.each<[what: string, values: MessageValues]>([
		['as it starts', usual],
		['emptied', { ...usual, mailFrom: '', from: '', headers: '', recipients: '' }],
		['without a login', { ...usual, arrival: { ...usual.arrival, listener: 'relay', authenticatedAs: '' } }],
		['of a revision', { ...usual, revision: '12' }],
		[
			'with what a query has to quote',
			{
				...usual,
				recipients: 'a+b@example.com\nö@xn--e1afmkfd.example',
				headers: 'Subject: 50 % & more = less #1\nX: ?'
			}
		]
	])('brings back %s', (_, values) => {
		expect(valuesOf(new URLSearchParams(queryOf(values).toString()), 'other@example.com')).toEqual(values);
	});

	it.each<[what: string, query: string, expected: MessageValues]>([
		['says nothing', '', usual],
		['names a sender only', 'as=a@example.com', usualMessage('a@example.com')],
		['names no revision that can be', 'revision=-1', usual],
		['names none at all', 'revision=pending', usual],
		['holds what is not of the form', 'token=x', usual]
	])('that %s is filled up', (_, query, expected) => {
		expect(valuesOf(new URLSearchParams(query), 'news@example.com')).toEqual(expected);
	});

	it('holds the form and nothing else', () => {
		const names = ['by', 'as', 'client', 'mailfrom', 'to', 'from', 'headers', 'revision'];
		expect([...queryOf({ ...usual, revision: '3' }).keys()]).toEqual(names);
	});
});

it('another login takes along the addresses that were the old one’s, and leaves the others', () => {
	const moved = withLogin({ ...usual, from: 'boss@example.com' }, 'a@example.com');
	expect(moved).toMatchObject({ mailFrom: 'a@example.com', from: 'boss@example.com' });
	expect(messageOf(moved).arrival).toMatchObject({ authenticatedAs: 'a@example.com' });
});
