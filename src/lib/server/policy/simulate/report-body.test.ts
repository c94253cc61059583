import { expect, it } from 'vitest';
import { bodyFor } from './report-body.ts';

const bodyOf = (type: string) => bodyFor([['Content-Type', type]]);

it.each([
	['delivery-status', 'multipart/report; report-type=delivery-status; boundary="=_x y"', '=_x y', 'Final-Recipient:'],
	['feedback-report', 'Multipart/Report;boundary=b1;report-type="Feedback-Report"', 'b1', 'Feedback-Type: abuse']
])('a %s gets the parts of its kind between its own boundaries', (kind, type, boundary, field) => {
	const body = bodyOf(type);
	expect(body.split(`--${boundary}`)).toHaveLength(5);
	expect(body).toContain(`Content-Type: message/${kind}\r\n\r\n`);
	expect(body).toContain(field);
	expect(body.endsWith(`--${boundary}--\r\n`)).toBe(true);
	expect(body.replaceAll('\r\n', '')).not.toContain('\n');
});

it.each([
	['no type', 'text/plain'],
	['no boundary', 'multipart/report; report-type=delivery-status'],
	['another kind', 'multipart/report; report-type=disposition-notification; boundary=b'],
	['a name of an object’s own', 'multipart/report; report-type=constructor; boundary=b']
])('a message with %s has an empty body', (_, type) => {
	expect(bodyOf(type)).toBe('');
});
