import type { ApplierKey } from '../../core/secret.ts';
import type { Log } from '../../core/log.ts';
import type { DovecotEnv } from '../../dovecot/service.ts';
import type { Host } from '../../host/host.ts';
import type { Kumod } from '../../kumod/client.ts';
import type { Patience } from '../probe.ts';
import type { PolicyRoots } from '../roots.ts';
import type { Timer } from '../watch.ts';
import type { Answer } from './answer.ts';
import type { CredentialStore } from './keys.ts';
import type { Places } from './places.ts';
import type { Records } from './records.ts';

/** Everything that the applier works with. It has no database, and opens none. */
export interface Applier {
	host: Host;
	kumod: Kumod;
	clock: () => number;
	log: Log;
	places: Places;
	roots: PolicyRoots;
	env: DovecotEnv & { kumodBin: string | undefined };
	records: Records;
	key: ApplierKey;
	credentials: CredentialStore;
	/** Our program, as it was installed. */
	program: Buffer;
	patience: Patience;
	timer: Timer;
	/** The apply that runs in this process. */
	running: { answer: Answer } | undefined;
}

/** A request that was taken: its header, and the lines that follow. */
export interface Taken<Kind> {
	ref: string;
	by: string;
	wish: Kind;
	lines: AsyncIterator<unknown>;
}
