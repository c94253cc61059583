import { join } from 'node:path';
import {
	dovecotPlace,
	findDovecotDrift,
	prepareDovecot,
	prepareMailboxes,
	probeDovecot,
	putDovecotBack,
	reloadDovecot,
	removeOldDovecot,
	settleDovecot,
	withdrawDovecot
} from '../dovecot/service.ts';
import type { DovecotEnv, DovecotRevision, Login, StagedDovecot } from '../dovecot/service.ts';
import type { Host } from '../host/host.ts';
import { readDirectory } from './directory.ts';
import type { Drift } from './drift.ts';
import { findManifest } from './drift.ts';
import type { Live } from './live.ts';
import type { Pipeline } from './pipeline.ts';
import type { Manifest } from './revision.ts';
import type { PolicyRoots } from './roots.ts';
import type { MailboxValue } from './rows.ts';
import type { StepResult } from './step-result.ts';

/** This machine and where its Dovecot is: all that is needed of the app, which a process of root does not have. */
export interface MailApp {
	host: Host;
	env: DovecotEnv;
}

/** A revision as it lies complete on disk. */
interface OnDisk {
	revision: string;
	directory: string;
	manifest: Manifest;
}

/**
 * The step `dovecot`: makes the mailboxes that KumoMTA will write into, and Dovecot's files beside the live ones. Answers
 * what goes live after KumoMTA's own swap; undefined where Dovecot is left alone; `refused` when Dovecot will not have it.
 */
export async function prepareMail(
	{ steps, host, roots, mail }: Pipeline,
	onDisk: OnDisk
): Promise<StagedDovecot | undefined | 'refused'> {
	return steps.run('dovecot', async () => {
		const accounts = accountsOf(onDisk.directory);
		const made = await prepareMailboxes(
			host,
			mail.mailRoot,
			accounts.map(({ id }) => id)
		);
		await host.faultPoint('dovecot.mailboxes');
		const { status, output, staged } = await prepareDovecot(mail, dovecotRevision(roots, onDisk, accounts));
		const lines = [
			...(made === 0 ? [] : [`${made.toLocaleString('en')} new ${made === 1 ? 'mailbox' : 'mailboxes'}.`]),
			output
		];
		return { value: status === 'failed' ? 'refused' : staged, status, output: lines.join('\n') };
	});
}

type Account = MailboxValue & { address: string };

function accountsOf(directory: string): Account[] {
	const rows = readDirectory(join(directory, 'directory.sqlite'), ['mailbox']);
	return Array.from(rows, ([, address, text]) => ({ address, ...(JSON.parse(text) as MailboxValue) }));
}

/** Everything that Dovecot's files are made of, from the revision alone. */
function dovecotRevision(roots: PolicyRoots, { revision, manifest }: OnDisk, accounts: Account[]): DovecotRevision {
	const { tlsName } = manifest.settings;
	const file = (name: string) => join(roots.tls, tlsName ?? '', name);
	return {
		revision,
		logins: accounts.flatMap(loginOf),
		tls: tlsName === null ? null : { certificate: file('fullchain.pem'), privateKey: file('privkey.pem') }
	};
}

const loginOf = ({ id, address, quota, hash }: Account): Login[] =>
	hash === undefined || quota === undefined ? [] : [{ id, address, quota, hash }];

/** What KumoMTA answered, with what Dovecot says to it: KumoMTA's own state leads unless Dovecot failed. */
export function withDovecot(result: StepResult, said: StepResult | undefined): StepResult {
	if (said === undefined) return result;
	const status = said.status === 'failed' ? 'failed' : result.status;
	return { status, output: `${result.output}\n${said.output}` };
}

export const tellDovecot = ({ mail }: Pipeline): Promise<StepResult> => reloadDovecot(mail);

/** A Dovecot that does not run was not told, so there is nothing to sign in to. */
export async function lookAtDovecot(
	{ mail }: Pipeline,
	staged: StagedDovecot | undefined,
	told: StepResult | undefined
): Promise<StepResult | undefined> {
	return staged !== undefined && told?.status === 'ok' ? probeDovecot(mail, staged) : undefined;
}

/** Never stands in the way of KumoMTA's own way back: what cannot be done now, `settleMail` does. */
export async function takeDovecotBack({ mail }: Pipeline, staged: StagedDovecot | undefined): Promise<string[]> {
	if (staged === undefined) return [];
	try {
		await putDovecotBack(mail, staged);
		return ['Dovecot’s files are as they were before.', (await reloadDovecot(mail)).output];
	} catch {
		return ['Dovecot’s files could not be put back yet; the panel tries again every minute.'];
	}
}

/** The live revision as it lies on disk; undefined when none of ours is live, or it is damaged. */
function liveOnDisk(roots: PolicyRoots, live: Live): OnDisk | undefined {
	if (live.kind !== 'ours' && live.kind !== 'edited') return undefined;
	const directory = join(roots.revisions, live.revision);
	const manifest = findManifest(directory);
	return manifest === undefined ? undefined : { revision: live.revision, directory, manifest };
}

/** After a crash, Dovecot follows KumoMTA. Needs the lock. @returns what was done; undefined: nothing. */
export async function settleMail(
	app: MailApp,
	{ roots, live, mustReload }: { roots: PolicyRoots; live: Live; mustReload: boolean }
): Promise<string | undefined> {
	const onDisk = liveOnDisk(roots, live);
	if (app.env.dovecotBin === undefined) return undefined;
	if (live.kind === 'absent') return withdrawDovecot(dovecotPlace(app.host, app.env));
	if (onDisk === undefined) return undefined;
	const revisionNow = () => dovecotRevision(roots, onDisk, accountsOf(onDisk.directory));
	return settleDovecot(dovecotPlace(app.host, app.env), revisionNow, { revision: onDisk.revision, mustReload });
}

/** Needs the lock. */
export async function removeOldMail(app: MailApp, live: Live): Promise<void> {
	if (app.env.dovecotBin === undefined) return;
	await removeOldDovecot(dovecotPlace(app.host, app.env), 'revision' in live ? live.revision : null);
}

/** Dovecot's files that are not what the live revision says; an apply makes what is missing by itself. */
export async function findMailDrift(app: MailApp, roots: PolicyRoots, live: Live): Promise<Drift[]> {
	const onDisk = liveOnDisk(roots, live);
	if (onDisk === undefined || app.env.dovecotBin === undefined) return [];
	const mayHaveLogins = () => accountsOf(onDisk.directory).some(({ hash }) => hash !== undefined);
	const found = await findDovecotDrift(dovecotPlace(app.host, app.env), onDisk.revision, mayHaveLogins);
	return found.map(({ path, what }) => ({ path: `dovecot/${path}`, what, needsOverwrite: what === 'changed' }));
}
