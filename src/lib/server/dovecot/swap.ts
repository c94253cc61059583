import { UserError } from '../core/errors.ts';
import { findLiveConf, textOfConf } from './live.ts';
import { dovecotAccess } from './roots.ts';
import type { DovecotPlace } from './roots.ts';
import type { DovecotResult, StagedDovecot } from './stage.ts';
import { toolOf } from './version.ts';

const bytesOf = (text: string) => Buffer.from(text, 'latin1');

/**
 * Makes a staged revision Dovecot's own by one rename; what was there is kept as dovecot.conf.previous, and the
 * distribution's file beside it for good.
 * @throws UserError dovecot-moved when somebody else changed it meanwhile.
 */
export async function swapDovecot(place: DovecotPlace, { text, seen }: StagedDovecot): Promise<void> {
	const { host, roots } = place;
	const { conf: access } = dovecotAccess(host);
	if (textOfConf(await findLiveConf(place)) !== textOfConf(seen))
		throw new UserError(
			'CONFLICT',
			`${roots.conf} was changed by somebody else while this apply was running. Their version is still live. Look at it, then apply again.`,
			{ reason: 'dovecot-moved' }
		);
	if (seen.kind === 'packaged' && (await host.files.stat(roots.before)) === undefined)
		await host.files.createFile(roots.before, bytesOf(seen.text), { mode: 0o644 });
	if (seen.kind !== 'absent') await host.files.replaceFile(roots.previous, bytesOf(seen.text), access);
	await host.faultPoint('dovecot.before-rename');
	await host.files.replaceFile(roots.conf, text, access);
	await host.faultPoint('dovecot.after-rename');
}

/** Puts back, byte for byte, what was live before a swap; nothing when that swap never happened. */
export async function putDovecotBack(place: DovecotPlace, { revision, seen }: StagedDovecot): Promise<void> {
	const { host, roots } = place;
	const now = await findLiveConf(place);
	if (now.kind !== 'ours' || now.revision !== revision) return;
	await host.faultPoint('dovecot.before-put-back');
	if (seen.kind === 'absent') await host.files.remove(roots.conf);
	else await host.files.replaceFile(roots.conf, bytesOf(seen.text), dovecotAccess(host).conf);
	await host.faultPoint('dovecot.after-put-back');
}

/** Lets a running Dovecot read its files anew; sessions that are open go on. */
export async function reloadDovecot({ host, roots, bin }: DovecotPlace): Promise<DovecotResult> {
	if (bin === undefined) return { status: 'skipped', output: 'Dovecot is not installed here.' };
	const asked = ['-c', roots.conf, 'reload'];
	const { code, stderr, timedOut } = await host.run(toolOf(bin, 'doveadm'), asked, {
		timeoutMs: 30_000,
		maxBytes: 4096
	});
	if (code === 0) return { status: 'ok', output: 'Dovecot reads its files anew.' };
	if (/is not running/.test(stderr))
		return {
			status: 'skipped',
			output: 'Dovecot does not run; it reads this revision when it starts (systemctl start dovecot).'
		};
	const said = timedOut ? 'it did not answer in 30 s' : stderr.trim() || `it ended with code ${code}`;
	return { status: 'failed', output: `Dovecot could not be reloaded: ${said}` };
}
