import type { Host } from '../host/host.ts';
import { errnoOf } from '../host/file-errors.ts';
import { UserError } from '../core/errors.ts';

export const oldestKumod = '2026.03.04';

/**
 * The release of the installed kumod, as `kumod --version` prints it (`kumod 2026.03.04-bb93ecb1`).
 * @throws UserError kumomta-too-old when it is older than the program needs; kumomta-unknown-version when it says nothing.
 */
export async function checkKumodVersion(host: Host, kumodBin: string): Promise<string> {
	const version = releaseIn(await versionText(host, kumodBin));
	if (version === undefined) {
		throw new UserError(
			'PRECONDITION_FAILED',
			`${kumodBin} does not say which release of KumoMTA it is. Nothing was changed. Run "${kumodBin} --version" and mend the installation.`,
			{ reason: 'kumomta-unknown-version' }
		);
	}
	if (version.slice(0, 10) >= oldestKumod) return version;
	throw new UserError(
		'PRECONDITION_FAILED',
		`KumoMTA ${version} is installed, but the policy needs ${oldestKumod} or newer. Nothing was changed. Update KumoMTA and apply again.`,
		{ reason: 'kumomta-too-old' }
	);
}

async function versionText(host: Host, kumodBin: string): Promise<string> {
	try {
		return (await host.run(kumodBin, ['--version'], { timeoutMs: 10_000, maxBytes: 4096 })).stdout;
	} catch (error) {
		const code = errnoOf(error);
		if (code === undefined) throw error;
		throw new UserError(
			'PRECONDITION_FAILED',
			`${kumodBin} cannot be run (${code}). Nothing was changed. Set KUMOD_BIN to KumoMTA’s program, or unset it where KumoMTA is not installed.`,
			{ reason: 'kumod-not-runnable' }
		);
	}
}

/** Releases are dates with a commit: they order as text. */
export function releaseIn(text: string): string | undefined {
	return /\b(\d{4}\.\d{2}\.\d{2}(?:-[0-9a-f]{6,40})?)\b/.exec(text)?.[1];
}
