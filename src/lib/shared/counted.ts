/** "1 domain", "3,000 domains". */
export function counted(count: number, one: string): string {
	return `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`;
}
