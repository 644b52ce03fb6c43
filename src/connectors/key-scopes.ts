/**
 * What a key may do. `read`: everything but the audit log, and nothing is changed. `send`: messages.
 * `manage`: connectors, chats, jobs, keys and evidence. `approve`: whether messages that wait for it are
 * sent, and evidence counts. `audit`: the audit log, and evidence packed with it. None includes another.
 */
export const KEY_SCOPES = ["read", "send", "manage", "approve", "audit"] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];

/** What a key is, or is to be, allowed. */
export interface KeyGrant {
  scopes: readonly KeyScope[];
  /** Null: until it is revoked. */
  expiresAt: Date | null;
}

/**
 * Why `granter` may not make such a key, in words for who asked; null when it may. A key never grants
 * more than it has: no other scope, and no longer life.
 */
export function refusedGrant(granter: KeyGrant, wanted: KeyGrant): string | null {
  const missing = wanted.scopes.filter((scope) => !granter.scopes.includes(scope));
  if (missing.length > 0) {
    return `A key can only grant what it has; this one lacks ${missing.join(", ")}.`;
  }
  const { expiresAt } = granter;
  if (expiresAt === null) return null;
  if (wanted.expiresAt !== null && wanted.expiresAt <= expiresAt) return null;
  return `A key cannot outlive the one that makes it, which expires at ${expiresAt.toISOString()}.`;
}
