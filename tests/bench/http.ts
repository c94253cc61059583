import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { startBuiltServer } from '../support/built-server.ts';
import type { Measurement } from './measurement.ts';
import { signIn } from './sign-in.ts';

const seconds = 4;
const connections = 8;

/** Answers per second over a bounded number of keep-alive connections for a bounded time. */
async function rate(url: string, tokens: string[] = []): Promise<number> {
	const agent = new Agent({ keepAlive: true, maxSockets: connections });
	const end = performance.now() + seconds * 1000;
	let answers = 0;
	let asked = 0;
	const one = () =>
		new Promise<void>((resolve, reject) => {
			const token = tokens[asked++ % tokens.length];
			request(url, { agent, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } }, (response) => {
				if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`));
				response.resume().on('end', () => {
					answers += 1;
					resolve();
				});
			})
				.on('error', reject)
				.end();
		});
	const loop = async () => {
		while (performance.now() < end) await one();
	};
	await Promise.all(Array.from({ length: connections }, loop));
	agent.destroy();
	return answers / seconds;
}

/** Start, memory and request rates of the built server. */
export async function benchHttp(): Promise<Measurement[]> {
	const started = performance.now();
	const server = await startBuiltServer();
	const readyMs = performance.now() - started;
	const afterStart = residentMb(server.pid());
	const tokens = await signIn(server, 400);
	const empty = await rate(`${server.url}/livez`);
	const authenticated = await rate(`${server.url}/trpc/auth.me`, tokens);
	const underLoad = residentMb(server.pid());
	await server.remove();
	return [
		{ name: 'ready after start', budget: 1000, measured: readyMs, unit: 'ms' },
		{ name: 'memory after start', budget: 100, measured: afterStart, unit: 'MB RSS' },
		{ name: 'memory under load', budget: 200, measured: underLoad, unit: 'MB RSS' },
		{ name: 'empty endpoint', budget: null, measured: empty, unit: 'answers/s' },
		{
			name: 'authenticated small query',
			budget: 0.6 * empty,
			measured: authenticated,
			unit: 'answers/s',
			atLeast: true
		}
	];
}

function residentMb(pid: number): number {
	return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
