import { z } from 'zod';
import { listInput, pageOf } from '../core/paging.ts';
import { emailAddress, itemId, secretText } from '../core/inputs.ts';

const password = secretText({ max: 1000 });

export const register = z.strictObject({ email: emailAddress, password, setupCode: secretText({ max: 100 }) });
export const login = z.strictObject({ email: emailAddress, password });
export const changePassword = z.strictObject({ currentPassword: password, newPassword: password });
export const listSessions = z.strictObject(listInput(['lastUsedAt', 'createdAt'])).prefault({});
export const revokeSession = z.strictObject({ id: itemId });

export const user = z.object({ id: z.string(), email: z.string() });
export const signedIn = z.object({ token: z.string(), expiresAt: z.int(), user });
export const session = z.object({
	id: z.string(),
	createdAt: z.int(),
	lastUsedAt: z.int(),
	expiresAt: z.int(),
	address: z.string(),
	userAgent: z.string(),
	isCurrent: z.boolean()
});
export const sessionPage = pageOf(session);
