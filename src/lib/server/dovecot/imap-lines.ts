import type { Socket } from 'node:net';

/** More than any answer to what we ask. */
const maxCharacters = 16_384;

/**
 * Reads from a socket until a whole line matches; answers everything up to the end of that line.
 * @throws Error when the connection ends, the answer grows too long or `timeoutMs` pass.
 */
export function readUntil(socket: Socket, line: RegExp, timeoutMs: number): Promise<string> {
	return new Promise((resolve, reject) => {
		let text = '';
		const timer = setTimeout(() => end(new Error(`no answer in ${timeoutMs / 1000} s`)), timeoutMs);
		function end(error?: Error): void {
			clearTimeout(timer);
			socket.off('data', onData).off('error', end).off('close', onClose);
			if (error === undefined) resolve(text);
			else reject(error);
		}
		const onClose = () => end(new Error('the connection was closed'));
		function onData(part: Buffer): void {
			text += part.toString('latin1');
			if (text.length > maxCharacters) return end(new Error('the answer is too long'));
			const whole = text.slice(0, text.lastIndexOf('\n') + 1).replaceAll('\r', '');
			if (line.test(whole)) end();
		}
		socket.on('data', onData).on('error', end).on('close', onClose);
		if (socket.destroyed) onClose();
	});
}
