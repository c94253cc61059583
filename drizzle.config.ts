import { defineConfig } from 'drizzle-kit';

export default defineConfig({ dialect: 'turso', schema: './src/lib/server/*/tables.ts', out: './drizzle' });
