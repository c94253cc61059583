import type { App } from '../app.ts';
import { dovecotPlace, readDovecotVersion } from '../dovecot/service.ts';
import type { DovecotPlace } from '../dovecot/service.ts';
import { errnoOf } from '../host/file-errors.ts';
import type { Host } from '../host/host.ts';
import { releaseIn } from '../policy/service.ts';
import type { VersionFacts } from './judge-versions.ts';

export interface System {
	family: 'debian' | 'redhat' | 'other';
	/** As it calls itself: `Debian GNU/Linux 12 (bookworm)`. */
	name: string;
	id: string;
	version: string;
}

/** os-release(5). */
export async function osRelease(host: Host): Promise<System> {
	// /etc/os-release is a link to it on most systems.
	const text = (await host.files.readText('/usr/lib/os-release')) ?? '';
	const value = (key: string) => new RegExp(`^${key}="?([^"\n]{1,80})"?$`, 'm').exec(text)?.[1] ?? '';
	const id = value('ID');
	const like = `${id} ${value('ID_LIKE')}`;
	const family = /\bdebian\b/.test(like)
		? 'debian'
		: /\b(?:rhel|fedora|rocky|almalinux)\b/.test(like)
			? 'redhat'
			: 'other';
	return { family, name: value('PRETTY_NAME') || 'an unknown system', id, version: value('VERSION_ID') };
}

export async function lookAtVersions({ host, env, metrics }: App): Promise<VersionFacts> {
	const running = metrics.state().version;
	const bin = await dovecotBin(host, env);
	return {
		kumomta: running ?? (env.kumodBin === undefined ? null : await installedKumod(host, env.kumodBin)),
		node: process.versions.node,
		system: await osRelease(host),
		dovecot: bin === undefined ? null : await dovecotVersion({ ...dovecotPlace(host, env), bin })
	};
}

/** Where an applier does what needs rights, Dovecot is not this process's to touch, but there all the same. */
export async function dovecotBin(host: Host, env: App['env']): Promise<string | undefined> {
	if (env.dovecotBin !== undefined || env.applier === undefined) return env.dovecotBin;
	const path = '/usr/sbin/dovecot';
	return (await host.files.stat(path)) === undefined ? undefined : path;
}

async function installedKumod(host: Host, kumodBin: string): Promise<string | undefined> {
	try {
		const { stdout } = await host.run(kumodBin, ['--version'], { timeoutMs: 10_000, maxBytes: 4096 });
		return releaseIn(stdout);
	} catch (error) {
		if (errnoOf(error) === undefined) throw error;
		return undefined;
	}
}

async function dovecotVersion(place: DovecotPlace) {
	try {
		return await readDovecotVersion(place);
	} catch (error) {
		if (errnoOf(error) === undefined) throw error;
		return { isSupported: false as const, sentence: 'Dovecot is installed, but cannot be run.' };
	}
}
