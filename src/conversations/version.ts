import { createHash } from "node:crypto";
import type { MessageVersion } from "./effects.ts";
import type { MessageContent } from "./telegram-types.ts";

/**
 * Digest of a message's content: two edits within one second have the same date, and a redelivered
 * one has the same content too. The order of fields plays no part, because jsonb does not keep it.
 */
export function digestOf(content: MessageContent): string {
  return createHash("sha256")
    .update(JSON.stringify([content.kind, content.text, content.entities, content.media], sorted))
    .digest("base64url")
    .slice(0, 22);
}

/** Names one version among those of its message. */
export function versionKeyOf(version: MessageVersion): string {
  return `${version.versionAtS}/${digestOf(version.content)}`;
}

function sorted(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
