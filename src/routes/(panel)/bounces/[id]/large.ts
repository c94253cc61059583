/** From here on, what would be lost is worth typing a name for. */
export const isLarge = ({ messages, bytes }: { messages: number; bytes: number }): boolean =>
	messages >= 1000 || bytes >= 104_857_600;
