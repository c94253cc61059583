import type { Socket } from 'node:net';

/** Reads one whole reply (RFC 5321 4.2): lines `250-…` until `250 …`; at most 16 KB. @throws when the connection ends. */
export function readReply(socket: Socket): Promise<string> {
	return new Promise((resolve, reject) => {
		let text = '';
		function end(error?: Error): void {
			socket.off('data', onData);
			socket.off('error', onError);
			socket.off('close', onClose);
			if (error === undefined) resolve(text);
			else reject(error);
		}
		const onError = (error: Error) => end(error);
		const onClose = () => end(new Error('the connection was closed'));
		function onData(part: Buffer): void {
			text += part.toString('latin1');
			if (text.length > 16_384) return end(new Error('the reply is too long'));
			if (/^\d{3}(?: |$)/.test(lastLineOf(text) ?? '')) end();
		}
		socket.on('data', onData);
		socket.on('error', onError);
		socket.on('close', onClose);
	});
}

/** Undefined while the text does not end with a line's end. */
export function lastLineOf(text: string): string | undefined {
	return text.endsWith('\n') ? text.trimEnd().split('\n').at(-1) : undefined;
}

/** The reply, when it has this code. @throws an Error with what was answered otherwise. */
export async function expectReply(socket: Socket, code: number): Promise<string> {
	const text = await readReply(socket);
	if (lastLineOf(text)?.startsWith(String(code))) return text;
	throw new Error(`it answered: ${lastLineOf(text)}`);
}
