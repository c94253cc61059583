import { diskSpace } from './disk.ts';
import type { DiskSpace } from './disk.ts';
import { createFiles } from './files.ts';
import type { FaultPoint, Files, Owner } from './files.ts';
import { listInterfaceAddresses } from './interfaces.ts';
import type { InterfaceAddress } from './interfaces.ts';
import { network } from './network.ts';
import type { Network } from './network.ts';
import { run } from './run.ts';
import type { RunOptions, RunResult } from './run.ts';
import { createSystemd } from './systemd.ts';
import type { Systemd } from './systemd.ts';
import { findUser } from './users.ts';

/** This machine, as far as the panel touches it. Tests replace it by one that fails on what it was not told about. */
export interface Host {
	run(file: string, args: string[], options: RunOptions): Promise<RunResult>;
	files: Files;
	systemd: Systemd;
	interfaces(): InterfaceAddress[];
	network: Network;
	/** The file system that a path lies on; undefined when it cannot be asked. */
	disk(path: string): Promise<DiskSpace | undefined>;
	findUser(name: string): Owner | undefined;
	/** Effective user id of this process. */
	uid(): number;
	/** A named moment between two writes. Nothing happens here, except in the tests of faults. */
	faultPoint: FaultPoint;
}

export function createHost(faultPoint: FaultPoint = () => {}): Host {
	return {
		run,
		files: createFiles(faultPoint),
		systemd: createSystemd(run),
		interfaces: listInterfaceAddresses,
		network,
		disk: diskSpace,
		findUser,
		uid: () => process.geteuid?.() ?? -1,
		faultPoint
	};
}
