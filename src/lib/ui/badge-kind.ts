export type BadgeKind = 'ok' | 'warn' | 'bad' | 'neutral';
