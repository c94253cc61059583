import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import { findManifest } from './drift.ts';
import { bytesOf, readLua, sha256 as hashOf } from './live.ts';
import type { Live } from './live.ts';
import { prepareMail } from './mail-step.ts';
import { goLive, manifestOf, refreshKind } from './pipeline.ts';
import type { Pipeline, PipelineOutcome } from './pipeline.ts';
import type { Manifest } from './revision.ts';
import { policyAccess } from './roots.ts';
import { differingFiles } from './stage.ts';
import { findKept, stagedInit, writeStagedInit } from './swap.ts';
import { validatePolicy } from './validate.ts';

interface WayBack {
	/** What was live when it was looked. */
	live: Live;
	/** Told before anything goes live. */
	begin: (number: number, directory: string) => Promise<void>;
}

/**
 * Makes a revision live again that lies complete on disk, under its own number.
 * @throws UserError no-such-revision
 */
export async function goBackToRevision(
	pipeline: Pipeline,
	{ revision, live, begin }: WayBack & { revision: string }
): Promise<PipelineOutcome> {
	const { host, roots, steps } = pipeline;
	const number = Number(revision.split('-')[0]);
	const directory = join(roots.revisions, revision);
	const manifest = findManifest(directory);
	if (manifest === undefined || (await differingFiles(host, directory, manifest)).length > 0) throw gone(number);
	await steps.run('stage', async () => {
		await writeStagedInit(host, roots, revision, number);
		return { value: undefined, status: 'ok', output: `Revision ${revision} is complete on disk.` };
	});
	return makeLive(pipeline, { number, name: revision, manifest, live, begin });
}

/** Makes the policy from before the panel live again. @throws UserError no-such-revision */
export async function goBackToKept(
	pipeline: Pipeline,
	{ sha256, live, begin }: WayBack & { sha256: string }
): Promise<PipelineOutcome> {
	const { host, roots, steps } = pipeline;
	const previous = await readLua(host, roots.previous);
	const isPrevious = previous !== undefined && hashOf(bytesOf(previous)) === sha256;
	const text = isPrevious ? previous : await findKept(host, roots, sha256);
	if (text === undefined) throw gone(0);
	await steps.run('stage', async () => {
		await host.files.replaceFile(stagedInit(roots, 0), bytesOf(text), policyAccess(host).file);
		return { value: undefined, status: 'ok', output: 'The policy from before the panel is complete on disk.' };
	});
	return makeLive(pipeline, { number: 0, name: '', manifest: undefined, live, begin });
}

function gone(number: number): UserError {
	return new UserError(
		'NOT_FOUND',
		`Revision ${number} does not exist, or its files were removed after their time. Nothing was changed. Choose another one.`,
		{ reason: 'no-such-revision' }
	);
}

async function makeLive(
	pipeline: Pipeline,
	{ number, name, manifest, live, begin }: WayBack & { number: number; name: string; manifest: Manifest | undefined }
): Promise<PipelineOutcome> {
	const { host, roots, steps, kumodBin, patience } = pipeline;
	const isValid = await steps.run('validate', async () => {
		const result = await validatePolicy(host, kumodBin, stagedInit(roots, number), patience.validateMs);
		return { value: result.status !== 'failed', ...result };
	});
	const onDisk = manifest && { revision: name, directory: join(roots.revisions, name), manifest };
	// The policy from before the panel knows no mailbox: Dovecot goes on serving what is in them.
	const dovecot = !isValid ? 'refused' : onDisk && (await prepareMail(pipeline, onDisk));
	if (dovecot === 'refused') {
		await host.files.remove(stagedInit(roots, number));
		return 'failed';
	}
	await begin(number, name);
	const before = manifestOf(roots, live);
	return goLive(pipeline, {
		...{ revision: { number, name, live }, manifest, before, dovecot },
		kind: refreshKind(before, manifest)
	});
}
