import type { FullConfig, FullResult, Reporter, Suite, TestError } from '@playwright/test/reporter';

/** The same closing line for the browser tests. */
export default class ClosingLine implements Reporter {
	private suite: Suite | undefined;
	private errors = 0;

	onBegin(_config: FullConfig, suite: Suite): void {
		this.suite = suite;
	}

	onError(error: TestError): void {
		this.errors += 1;
		console.error(error.stack ?? error.message);
	}

	onEnd(result: FullResult): void {
		const count = { passed: 0, failed: this.errors, skipped: 0 };
		for (const test of this.suite?.allTests() ?? []) {
			const outcome = test.outcome();
			if (outcome === 'expected') count.passed += 1;
			else if (outcome === 'skipped') count.skipped += 1;
			else {
				count.failed += 1;
				for (const { errors } of test.results)
					for (const error of errors)
						console.error(`FAILED ${test.titlePath().join(' > ')}\n${error.stack ?? error.message}`);
			}
		}
		if (result.status !== 'passed' && count.failed === 0) count.failed += 1;
		console.log(
			`${count.passed} passed, ${count.failed} failed${count.skipped > 0 ? `, ${count.skipped} skipped` : ''}`
		);
	}

	printsToStdio(): boolean {
		return false;
	}
}
