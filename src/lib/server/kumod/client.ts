/** KumoMTA's HTTP API. Placeholder of the lead until colleague C2's file replaces it whole. */
export interface Kumod {
	baseUrl: string;
}

export function createKumod(baseUrl: string): Kumod {
	return { baseUrl };
}
