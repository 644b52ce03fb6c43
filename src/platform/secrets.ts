import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** What is random and must not be guessed: 256 bits, in characters that URLs and headers carry. */
const SECRET_BYTES = 32;

/** SHA-256, which is how secrets that we only compare are kept: 32 bytes. */
export function sha256(value: string | Buffer): Buffer {
  return createHash("sha256").update(value).digest();
}

/**
 * True when both are the same, in a time that tells nothing about either. Digests are compared,
 * so that lengths tell nothing either.
 */
export function equalSecrets(a: string | Buffer, b: string | Buffer): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

/** True when `value` is what one of `hashes` was made from with `sha256`. */
export function matchesAnyHash(value: string | Buffer, hashes: readonly Buffer[]): boolean {
  const digest = sha256(value);
  return hashes.some((hash) => hash.length === digest.length && timingSafeEqual(digest, hash));
}

/** 43 characters of A-Z a-z 0-9 _ - : webhook secrets (Bot API: setWebhook `secret_token`), keys of URLs. */
export function randomToken(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}

/** A workspace's API key. Its prefix lets scanners, and our own logs, know it when they see it. */
export function newApiKey(): string {
  return `hgk_${randomToken()}`;
}
