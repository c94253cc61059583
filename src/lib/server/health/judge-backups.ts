import { counted } from '../../shared/counted.ts';
import type { BackupState } from '../backup/service.ts';
import { failed, ok, warning } from './check.ts';
import type { Finding } from './check.ts';
import { dayMs } from './judge-panel.ts';

const elsewhere = 'Copies made by other means, of the whole machine for instance, are not known to the panel.';
const byHand = 'kumomta-ui backup --passphrase-file /etc/kumomta-ui/backup-passphrase';
const timer = 'systemctl enable --now kumomta-ui-backup.timer; systemctl start kumomta-ui-backup';

/** @param since when the panel was set up; null while there is no account. */
export function judgeBackup(state: BackupState, since: number | null, now: number): Finding {
	const { lastAt, protection, failedAt } = state;
	const age = (at: number) => (now - at) / dayMs;
	if (lastAt === null) {
		const mend = `Switch the nightly backup on. ${elsewhere}`;
		if (since === null || age(since) < 2) return warning('No backup was made yet.', { mend, command: timer });
		return failed('No backup was ever made: a lost disk takes every key and password with it.', {
			mend,
			command: timer
		});
	}
	if (failedAt !== null && failedAt > lastAt)
		return failed(`The last backup failed; the newest one is ${counted(Math.floor(age(lastAt)), 'day')} old.`, {
			mend: 'Look why.',
			command: 'journalctl -u kumomta-ui-backup -n 50'
		});
	if (age(lastAt) > 3)
		return failed(`The newest backup is ${counted(Math.floor(age(lastAt)), 'day')} old.`, {
			mend: `Look whether the nightly backup runs. ${elsewhere}`,
			command: 'systemctl list-timers kumomta-ui-backup.timer; journalctl -u kumomta-ui-backup -n 50'
		});
	if (protection === 'none')
		return warning(
			'The newest backup is not encrypted: the keys were left out of it, and password hashes are in the clear.',
			{
				mend: 'Give it a passphrase or a recipient key.',
				command: byHand
			}
		);
	return ok('A backup was made within three days. That it is kept off this machine too cannot be seen from here.');
}

export function judgeRehearsal({ lastAt, rehearsedAt }: BackupState, now: number): Finding {
	const command =
		'kumomta-ui backup --verify "$(ls -t /var/backups/kumomta-ui/*.backup | head -1)" --passphrase-file /etc/kumomta-ui/backup-passphrase';
	if (rehearsedAt === null)
		return warning(
			lastAt === null ? 'There is no backup to rehearse a restore of.' : 'No restore was ever rehearsed.',
			{
				mend: 'Rehearse one: it unpacks into a temporary folder and touches nothing.',
				command
			}
		);
	const days = Math.floor((now - rehearsedAt) / dayMs);
	if (days > 90)
		return warning(`The last rehearsal of a restore was ${counted(days, 'day')} ago.`, {
			mend: 'Rehearse another one.',
			command
		});
	return ok(`A restore was rehearsed ${counted(days, 'day')} ago, and went well.`);
}
