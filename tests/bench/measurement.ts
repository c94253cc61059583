/** One number beside what it may be at most, or at least. A budget of null is a number to compare others with. */
export interface Measurement {
	name: string;
	budget: number | null;
	measured: number;
	unit: string;
	atLeast?: boolean;
}
