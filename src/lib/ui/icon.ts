import type { Component } from 'svelte';

/** An icon of `@lucide/svelte/icons/<name>`. */
export type IconComponent = Component<{ 'aria-hidden'?: 'true'; class?: string }>;
