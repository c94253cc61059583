import { hostileTexts } from '../support/hostile.ts';
import type { Random } from './random.ts';

/** Pieces with a meaning to SMTP, mail headers, templates, patterns, TOML, Lua, SQL, JSON, shells or terminals. */
const pieces = [
	...hostileTexts,
	'\u0001',
	'\u007f',
	'\u0000',
	'\t',
	'\r',
	'@',
	'+',
	':',
	'!',
	'<',
	'>',
	',',
	';',
	'(',
	')',
	'[',
	']',
	'=?utf-8?q?=22?=',
	'\u061c',
	'\u202d',
	'\u{10ffff}',
	'\udc00',
	'\ud83d\ude00',
	'"""\n',
	"''\\'",
	'\\u0000',
	'\\x00',
	'%00',
	'CANARY = true',
	"') CANARY = true --",
	']] CANARY = true --[[',
	"' UNION SELECT value FROM sender --",
	'" OR ""="',
	'/etc/passwd',
	'{"key_data":"x"}',
	'%w+',
	'.*',
	'-0',
	'1e999'
];

function codePoint(random: Random): string {
	const limit = random.pick([0x20, 0x80, 0x100, 0x3000, 0x10_ffff]);
	return String.fromCodePoint(random.below(limit));
}

const piece = (random: Random): string => {
	if (random.chance(60)) return random.pick(pieces);
	if (random.chance(5)) return random.pick(['a', 'é', '\0', '%']).repeat(random.below(3000));
	return Array.from({ length: random.below(12) }, () => codePoint(random)).join('');
};

/** Anything, or something right with hostile text around or inside it. */
export function hostileText(random: Random, right: string): string {
	if (random.chance(30)) return piece(random) + piece(random);
	const at = random.below(right.length + 1);
	return right.slice(0, at) + piece(random) + right.slice(at);
}
