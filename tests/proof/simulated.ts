import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBuild } from '../../src/lib/server/policy/build-revision.ts';
import type { PolicyInput } from '../../src/lib/server/policy/input.ts';
import { sendersInOrder } from '../../src/lib/server/policy/order.ts';
import { converse } from '../../src/lib/server/policy/simulate/conversation.ts';
import { simulatedMessage } from '../../src/lib/server/policy/simulate/inputs.ts';
import type { SimulatedMessage, Simulation } from '../../src/lib/server/policy/simulate/inputs.ts';
import { openRevision } from '../../src/lib/server/policy/simulate/open-revision.ts';
import type { EstateSize } from '../support/estate.ts';
import { canonical } from './canonical.ts';
import { passwordOf, proofEstate } from './estate.ts';
import type { Arriving, Delivery } from './message.ts';
import { randomMessage } from './messages.ts';
import { createOracle } from './oracle.ts';
import { createRandom } from './random.ts';

const roots = { policy: '/etc/k/policy', dkim: '/etc/k/dkim', tls: '/etc/k/tls', mail: '/var/mail', share: '/usr/k' };
/** A wasm Lua serves this many messages, then a new one begins. */
const perRevision = 500;

/** Random messages through the simulator over a whole revision, each against the oracle. */
export async function compareSimulated(size: EstateSize, seed: number, messages: number) {
	const input = proofEstate(size);
	const oracle = createOracle(input);
	const random = createRandom(seed);
	const { directory, remove } = buildWhole(input);
	const disagreements: unknown[] = [];
	let done = 0;
	try {
		while (done < messages) {
			const opened = await openRevision(directory);
			try {
				for (let count = 0; count < perRevision && done < messages; count += 1) {
					const arriving = randomMessage(random, input);
					const message = asSimulated(arriving);
					if (message === null) continue;
					const expected = oracle(arriving);
					const found = converse(opened, message);
					opened.policy.clock.seconds += 600;
					done += 1;
					const agrees =
						canonical(expected.deliveries.map(compared)) === canonical(deliveriesOf(found)) &&
						(expected.deliveries.length > 0 || expected.reply.test(firstReply(found)));
					if (!agrees) disagreements.push({ arriving, expected: { ...expected, reply: `${expected.reply}` }, found });
				}
			} finally {
				opened.close();
			}
		}
	} finally {
		remove();
	}
	return { messages: done, disagreements };
}

function buildWhole(input: PolicyInput): { directory: string; remove: () => void } {
	const root = mkdtempSync(join(tmpdir(), 'kumomta-ui-proof-'));
	const making = join(root, 'making');
	mkdirSync(making);
	const program = readFileSync(new URL('../../src/lib/server/policy/program.lua', import.meta.url));
	const request = { program, customLua: null, roots, facts: {}, now: 0, live: null, dropping: [] };
	const build = openBuild(making, input, request);
	for (const sender of sendersInOrder(input)) build.sender(sender);
	const { manifest } = build.finish([]);
	const directory = join(root, manifest.revision);
	renameSync(making, directory);
	return { directory, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** Null for what a simulation cannot say: a wrong password, several tries, another authorization identity. */
function asSimulated({ arrival, mailFrom, recipients, headers }: Arriving): SimulatedMessage | null {
	const logins = arrival.via === 'smtp' ? arrival.logins : arrival.basic === undefined ? [] : [arrival.basic];
	const [login] = logins;
	if (logins.length > 1) return null;
	if (login !== undefined && login.password !== passwordOf(login.user)) return null;
	if (arrival.via === 'smtp' && ![undefined, '', login?.user].includes(arrival.logins[0]?.authorizeAs)) return null;
	const user = login === undefined ? {} : { authenticatedAs: login.user };
	const way = arrival.via === 'http' ? { via: 'http' } : { via: 'smtp', listener: arrival.listener };
	const parsed = simulatedMessage.safeParse({
		arrival: { ...way, clientAddress: arrival.peer, ...user },
		mailFrom,
		recipients,
		headers: headers.map(([name, value]) => ({ name, value }))
	});
	return parsed.success ? parsed.data : null;
}

const compared = ({ recipient, queue, tenant, campaign, pool, ehlo, rate, maxAge, signatures }: Delivery) => ({
	recipient,
	queue,
	tenant: tenant ?? null,
	campaign: campaign ?? null,
	pool: pool ?? null,
	ehlo: ehlo ?? [],
	rate: rate ?? null,
	// KumoMTA's own default; what is not sent on has no retries that the policy decides.
	maxAge: tenant === undefined ? null : (maxAge ?? 604_800),
	signatures
});

const deliveriesOf = ({ recipients }: Simulation) =>
	recipients.flatMap(({ recipient, message }) => {
		if (message === undefined) return [];
		const { queue, tenant, campaign, pool, sources, rates, retry, signatures } = message;
		return [
			{
				recipient,
				queue,
				tenant,
				campaign,
				pool,
				ehlo: sources.map(({ ehloDomain }) => ehloDomain).sort(),
				rate: rates.find(({ scope }) => scope === 'queue')?.limit ?? null,
				maxAge: tenant === null ? null : (retry?.maxAgeSeconds ?? null),
				signatures: signatures.map(({ domain, selector }) => `${selector}._domainkey.${domain}`).sort()
			}
		];
	});

const firstReply = ({ recipients }: Simulation) => `${recipients[0]?.reply.code} ${recipients[0]?.reply.text}`;
