// Files that a test makes are as closed as the server's own.
process.umask(0o077);

// A test that reached the real installation could change what a server sends.
if (process.env.KUMOMTA_ROOT?.replace(/\/+$/, '') === '/opt/kumomta') {
	throw new Error(
		'KUMOMTA_ROOT is /opt/kumomta, the real installation. No test was run. Unset it and run the tests again.'
	);
}
