import { expect, it } from 'vitest';
import { bytesText } from './bytes.ts';

it.each([
	[0, '0 bytes'],
	[1, '1 byte'],
	[1023, '1023 bytes'],
	[1024, '1 KiB'],
	[1536, '1.5 KiB'],
	[10_240, '10 KiB'],
	[1_048_575, '1 MiB'],
	[1_073_741_824, '1 GiB'],
	[2_684_354_560, '2.5 GiB'],
	[1_099_511_627_776, '1 TiB'],
	[2 ** 60, '1048576 TiB']
])('%d is %s', (bytes, text) => {
	expect(bytesText(bytes)).toBe(text);
});
