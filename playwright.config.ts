import { defineConfig } from '@playwright/test';

/** Chromium alone fills two cores: one worker. Each spec starts its own built server on a free port. */
export default defineConfig({
	testDir: 'tests/e2e',
	workers: 1,
	fullyParallel: false,
	retries: 0,
	timeout: 90_000,
	expect: { timeout: 10_000 },
	reporter: process.env.KUMOMTA_UI_REPORT ? './tests/support/playwright-closing-line.ts' : 'list',
	outputDir: 'test-results',
	use: {
		viewport: { width: 1440, height: 900 },
		launchOptions: {
			executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
			args: [
				'--no-sandbox',
				'--disable-gpu',
				'--disable-dev-shm-usage',
				'--disable-background-networking',
				'--disable-component-update',
				'--no-first-run'
			]
		}
	}
});
