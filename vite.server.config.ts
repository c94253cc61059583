import { defineConfig } from 'vite';

/** Bundles what runs outside SvelteKit: the server entry, the command line and the workers. */
export default defineConfig({
	build: {
		ssr: true,
		outDir: 'build',
		emptyOutDir: false,
		target: 'node24',
		rolldownOptions: {
			input: {
				server: 'server.ts',
				cli: 'src/cli/main.ts',
				applier: 'src/applier/main.ts',
				'policy-worker': 'src/lib/server/policy/worker.ts',
				'simulate-worker': 'src/lib/server/policy/simulate/worker.ts',
				'suppression-worker': 'src/lib/server/suppression/worker.ts'
			},
			checks: { bundlerTimings: false },
			output: { entryFileNames: '[name].js', chunkFileNames: 'entry/[name]-[hash].js' }
		}
	},
	ssr: { noExternal: true, external: ['@libsql/client', 'libsql', 'oslo', 'wasmoon'] }
});
