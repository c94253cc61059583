import type { Reporter, TestModule } from 'vitest/node';

/** Prints failures as they come and ends with `N passed, N failed[, N skipped]`, the line the test driver adds up. */
export default class ClosingLine implements Reporter {
	onTestRunEnd(modules: readonly TestModule[], errors: readonly { message?: string; stack?: string }[]): void {
		const count = { passed: 0, failed: errors.length, skipped: 0 };
		for (const error of errors) console.error(error.stack ?? error.message);
		for (const module of modules) {
			for (const error of module.errors()) {
				count.failed += 1;
				console.error(`FAILED ${module.moduleId}\n${error.stack ?? error.message}`);
			}
			for (const test of module.children.allTests()) {
				const { state, errors: failures } = test.result();
				if (state === 'passed') count.passed += 1;
				else if (state === 'skipped') count.skipped += 1;
				else {
					count.failed += 1;
					for (const failure of failures ?? [])
						console.error(
							`FAILED ${module.moduleId} > ${test.fullName}\n${failure.stack ?? failure.message}\n${failure.diff ?? ''}`
						);
				}
			}
		}
		console.log(
			`${count.passed} passed, ${count.failed} failed${count.skipped > 0 ? `, ${count.skipped} skipped` : ''}`
		);
	}
}
