// Without the letters and digits that are mistaken for each other (I l 1, O 0).
const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';

/** 24 characters of 57: about 140 bits. Each is drawn without the bias of a plain remainder. */
export function generatePassword(length = 24): string {
	const limit = 256 - (256 % alphabet.length);
	let text = '';
	while (text.length < length) {
		for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
			if (byte < limit && text.length < length) text += alphabet[byte % alphabet.length] ?? '';
		}
	}
	return text;
}
