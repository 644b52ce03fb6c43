import { findKeyHolder } from "../connectors/index.ts";
import { equalSecrets, Problem, sha256 } from "../platform/index.ts";
import { createKeyLookups } from "./key-lookups.ts";
import type { Principal, Route, WorkspacePrincipal } from "./route.ts";
import type { Services } from "./services.ts";

/** A key that was revoked is refused by every process within this time. */
const KEPT_MS = 800;
const MAX_KEPT = 10_000;

const challenge = { headers: { "www-authenticate": "Bearer" } };

/** Tells who calls by the Authorization header; the workspace comes from here and nowhere else. */
export function createAuthentication({ db, adminToken, failures }: Omit<Services, "evidence">) {
  const kept = new Map<string, { principal: WorkspacePrincipal; untilMs: number }>();
  const lookUp = createKeyLookups((key) => findKeyHolder(db, key));

  async function principalOfKey(key: string): Promise<WorkspacePrincipal | null> {
    const hash = sha256(key).toString("base64");
    const found = kept.get(hash);
    if (found !== undefined && found.untilMs > performance.now()) return found.principal;
    const holder = await lookUp(key, found !== undefined);
    if (holder === null) {
      kept.delete(hash);
      return null;
    }
    const { workspaceId, keyId, scopes, expiresInMs } = holder;
    const principal: WorkspacePrincipal = { kind: "workspace", workspaceId, keyId, scopes };
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(hash, {
      principal,
      untilMs: performance.now() + Math.min(KEPT_MS, expiresInMs ?? KEPT_MS),
    });
    return principal;
  }

  async function principalOf(header: string | undefined): Promise<Principal | null> {
    const token = /^Bearer\s+(\S+)$/i.exec(header ?? "")?.[1];
    if (token === undefined) return null;
    if (adminToken !== undefined && equalSecrets(token, adminToken)) return { kind: "admin" };
    return principalOfKey(token);
  }

  /** Throws `Problem` 429 once there were too many. */
  async function refuseMany(network: string): Promise<void> {
    const waitS = await failures.failed({ network });
    if (waitS === 0) return;
    const detail = `There were too many wrong keys. Send no other for ${waitS} s.`;
    throw new Problem(429, "Too many wrong keys", detail, {
      headers: { "retry-after": String(waitS) },
    });
  }

  return {
    /** Null when the call carries no valid credentials. */
    principalOf,
    /**
     * `network`: where the call comes from. Throws `Problem`: 401 without valid credentials, 429
     * after too many wrong ones from there, 403 with those of the wrong kind.
     */
    authorize: async (
      route: Route,
      header: string | undefined,
      network: string,
    ): Promise<Principal> => {
      const principal = await principalOf(header);
      if (principal === null) {
        if (header !== undefined) await refuseMany(network);
        const detail = "Send `Authorization: Bearer …` with a valid key.";
        throw new Problem(401, "Not authenticated", detail, challenge);
      }
      if (route.auth !== "either" && route.auth !== principal.kind) {
        const needed =
          route.auth === "admin" ? "the administrator's token" : "a workspace's API key";
        throw new Problem(403, "Not allowed", `This call needs ${needed}.`);
      }
      if (
        principal.kind === "workspace" &&
        route.auth !== "admin" &&
        !principal.scopes.includes(route.scope)
      ) {
        const detail = `This call needs a key with the scope ${route.scope}; this one has ${principal.scopes.join(", ")}.`;
        throw new Problem(403, "Not allowed", detail);
      }
      return principal;
    },
  };
}
