const browsers: [name: string, sign: RegExp][] = [
	['Edge', /\bEdg(?:e|A|iOS)?\//],
	['Opera', /\bOPR\//],
	['Firefox', /\b(?:Firefox|FxiOS)\//],
	['Chrome', /\b(?:Chrome|CriOS|HeadlessChrome)\//],
	['Safari', /\bVersion\/.*Safari\//]
];
const systems: [name: string, sign: RegExp][] = [
	['Windows', /Windows/],
	['Android', /Android/],
	['iOS', /iPhone|iPad/],
	['macOS', /Mac OS X/],
	['Linux', /Linux/]
];

/** "Firefox on Linux"; what is not a known browser is shown as it named itself. */
export function deviceName(userAgent: string): string {
	const name = ([, sign]: [string, RegExp]) => sign.test(userAgent);
	const browser = browsers.find(name)?.[0];
	const system = systems.find(name)?.[0];
	if (browser === undefined) return userAgent.slice(0, 60) || 'Unknown program';
	return system === undefined ? browser : `${browser} on ${system}`;
}
