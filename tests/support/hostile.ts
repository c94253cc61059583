import fc from 'fast-check';

/** Text that breaks out of something, somewhere: lines, strings, paths, tables, templates, terminals. */
export const hostileTexts = [
	'a\nb',
	'a\r\nX-Header: 1',
	'\0',
	'a\0b',
	"'",
	'"',
	"a' .. os.execute('id') .. '",
	"]] os.execute('id') --[[",
	']=]',
	'--',
	'\\',
	'a\\',
	'\\n',
	'"\n[http]\nmode = "trusted"\n',
	'a"]\n[pool.evil]',
	"'''\nx = 1\n'''",
	'a.b = 1',
	'../../etc/passwd',
	'..',
	'/',
	'/../x',
	'a/../../b',
	'%s%n%x',
	'%2e%2e%2f',
	'${os.getenv("HOME")}',
	'{{ meta.x_mailbox }}',
	'$(id)',
	'`id`',
	'; rm -rf /',
	"'; DROP TABLE senders; --",
	'__proto__',
	'constructor',
	'\u202egnp.exe',
	'\u2066a\u2069',
	'\u200f',
	'\u2028',
	'\ud800',
	'a\udfffb',
	'\u0007\u001b[31m',
	'\u0085',
	'ÅÅ\u0301',
	'xn--\u0301',
	'<script>alert(1)</script>',
	'=cmd|/c calc!A1',
	',,,"',
	' ',
	'',
	'a'.repeat(300),
	'é'.repeat(3000),
	'null',
	'1e309'
];

/** The same, and pieces of it before, inside or behind a value that is right. */
export function hostileText(right: string): fc.Arbitrary<string> {
	const piece = fc.oneof(fc.constantFrom(...hostileTexts), fc.string({ unit: 'binary', maxLength: 20 }));
	const inside = fc.tuple(fc.nat({ max: right.length }), piece);
	return fc.oneof(
		piece,
		fc.tuple(piece, piece).map((both) => both.join('')),
		inside.map(([at, text]) => right.slice(0, at) + text + right.slice(at))
	);
}
