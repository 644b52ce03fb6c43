import { parseArgs } from "node:util";
import {
  createApiKey,
  KEY_SCOPES,
  type KeyScope,
  listApiKeys,
  revokeApiKey,
} from "../src/connectors/index.ts";
import { asUuid, timeOption } from "./options.ts";
import type { System } from "./system.ts";

/** `heliograph key create|list|revoke`: a workspace's API keys, for the operator. */
const OPTIONS = {
  workspace: { type: "string" },
  scopes: { type: "string" },
  expires: { type: "string" },
  name: { type: "string" },
} as const;

const PAGE = 200;

/** Throws an `Error` in one line for what is not a list of scopes. */
export function parseScopes(list: string): KeyScope[] {
  const scopes = list.split(",").map((name) => {
    const scope = KEY_SCOPES.find((known) => known === name.trim());
    if (scope === undefined) throw new Error(`--scopes takes some of ${KEY_SCOPES.join(",")}`);
    return scope;
  });
  return [...new Set(scopes)];
}

const UNIT_MS = { d: 86_400_000, h: 3_600_000 };

/** `90d`, `12h`, a time, or `never`. Throws an `Error` in one line for anything else. */
export function parseExpiry(text: string, nowMs: number): Date | null {
  if (text === "never") return null;
  const [, count, unit] = /^([1-9][0-9]{0,4})([dh])$/.exec(text) ?? [];
  const expiresAt =
    count === undefined
      ? timeOption("expires", text)
      : new Date(nowMs + Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
  if (expiresAt.getTime() <= nowMs) throw new Error("--expires is in the past");
  return expiresAt;
}

/** Runs `key …`. Throws an `Error` in one line for what cannot be done. */
export async function apiKeysCommand(
  { db }: System,
  args: string[],
  print: (value: unknown) => void,
): Promise<void> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const [action, id] = positionals;
  if (action === "revoke") {
    const revoked = await revokeApiKey(db, { id: asUuid("a key", id) });
    if (!revoked) throw new Error(`there is no key ${id}, or it is revoked already`);
    return print(`key ${id}: revoked`);
  }
  if (action !== "create" && action !== "list") throw new Error("key takes create, list or revoke");
  const workspaceId = asUuid("--workspace", values.workspace);
  if (action === "list") {
    for (let afterId: string | undefined; ; ) {
      const keys = await listApiKeys(db, workspaceId, { limit: PAGE, afterId });
      for (const key of keys) {
        const expires = key.expiresAt === null ? "never expires" : `expires ${key.expiresAt}`;
        const used = key.lastUsedAt === null ? "never used" : `used ${key.lastUsedAt}`;
        print(`${key.id}  ${key.scopes.join(",").padEnd(22)} ${expires}, ${used}  ${key.name}`);
      }
      afterId = keys.at(-1)?.id;
      if (keys.length < PAGE) return;
    }
  }
  if (values.scopes === undefined || values.expires === undefined) {
    throw new Error("use: key create --workspace ID --scopes read,send --expires 90d|TIME|never");
  }
  const key = await createApiKey(db, {
    workspaceId,
    name: values.name?.trim() || "made by the operator",
    scopes: parseScopes(values.scopes),
    expiresAt: parseExpiry(values.expires, Date.now()),
    grantedBy: null,
  });
  if (key === null) throw new Error(`there is no workspace ${workspaceId}`);
  print(key);
}
