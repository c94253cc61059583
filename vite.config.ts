import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

/** A suite with a name of its own, `npm run test:<name>`, for what takes minutes. */
const slowSuite = (name: string) => ({
	extends: true as const,
	test: {
		name,
		environment: 'node' as const,
		setupFiles: ['./tests/support/setup.ts'],
		testTimeout: 1_200_000,
		include: [`tests/${name}/**/*.test.ts`]
	}
});

export default defineConfig({
	plugins: [tailwindcss(), sveltekit()],
	build: { rolldownOptions: { checks: { bundlerTimings: false } } },
	server: { port: 9000, strictPort: true },
	test: {
		// drizzle-orm parses a large package.json for every module it loads: bundle it once.
		deps: {
			optimizer: {
				ssr: {
					enabled: true,
					include: [
						'drizzle-orm',
						'drizzle-orm/sqlite-core',
						'drizzle-orm/libsql/sqlite3',
						'drizzle-orm/libsql/migrator'
					]
				}
			}
		},
		testTimeout: 20_000,
		hookTimeout: 30_000,
		reporters: process.env.KUMOMTA_UI_REPORT ? ['./tests/support/closing-line.ts'] : ['default'],
		projects: [
			{
				extends: true,
				test: {
					name: 'server',
					environment: 'node',
					setupFiles: ['./tests/support/setup.ts'],
					include: [
						'src/**/*.test.ts',
						'tests/architecture.test.ts',
						'tests/contract/**/*.test.ts',
						'scripts/**/*.test.ts'
					],
					exclude: ['src/**/*.svelte.test.ts']
				}
			},
			{
				extends: true,
				plugins: [svelteTesting()],
				test: { name: 'svelte', environment: 'jsdom', include: ['src/**/*.svelte.test.ts'] }
			},
			slowSuite('faults'),
			slowSuite('proof'),
			slowSuite('deploy'),
			slowSuite('mail')
		]
	}
});
