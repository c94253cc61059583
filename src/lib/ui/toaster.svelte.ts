/** Becomes true with the first message: only then the root layout loads the toaster, outside the first load. */
export const toaster = $state({ isWanted: false });
