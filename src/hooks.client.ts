import type { HandleClientError } from '@sveltejs/kit';
import { failure } from '$lib/api';

/** What a page that could not load says: the server's own words, or that this page met something unexpected. */
export const handleError: HandleClientError = ({ error, status, message }) => ({
	message: status === 404 ? message : failure(error).message
});
