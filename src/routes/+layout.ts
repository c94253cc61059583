// The bearer token lives in the browser: there is nothing a server could render for a person it does not know.
export const ssr = false;
