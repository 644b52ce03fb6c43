import { createHmac, hkdfSync, randomBytes } from "node:crypto";
import { equalSecrets } from "../platform/index.ts";

/**
 * A signed session: `expiry.nonce.signature`, in a cookie. Nothing is stored, so that any web
 * process knows the sessions that another one, or this one before its restart, gave out. The key is
 * derived from ADMIN_TOKEN: changing the token ends every session, and a session tells nothing
 * about the token.
 */
export const SESSION_MS = 8 * 60 * 60 * 1_000;
export const SESSION_COOKIE = "heliograph_console";

export function sessionKeyOf(adminToken: string): Buffer {
  return Buffer.from(hkdfSync("sha256", adminToken, "", "heliograph console session", 32));
}

export function newSession(key: Buffer, nowMs: number): string {
  const claims = `${(nowMs + SESSION_MS).toString(36)}.${randomBytes(12).toString("base64url")}`;
  return `${claims}.${signatureOf(key, claims)}`;
}

/** When the session ends, in ms since the epoch; null for one that has ended or is not ours. */
export function sessionEndMs(
  key: Buffer,
  session: string | undefined,
  nowMs: number,
): number | null {
  const [, claims, expiry, signature] = /^(([0-9a-z]{1,11})\.[\w-]{16})\.([\w-]{43})$/.exec(
    session ?? "",
  ) ?? [null, null, null, null];
  if (!claims || !expiry || !signature) return null;
  if (!equalSecrets(signature, signatureOf(key, claims))) return null;
  const endMs = Number.parseInt(expiry, 36);
  // One that ends later than any given out now: the clock has gone back.
  return endMs > nowMs && endMs <= nowMs + SESSION_MS ? endMs : null;
}

function signatureOf(key: Buffer, claims: string): string {
  return createHmac("sha256", key).update(claims).digest("base64url");
}

/** A cookie of the request, by its name (RFC 6265: Cookie). */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of (header ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
