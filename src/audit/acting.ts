import { AsyncLocalStorage } from "node:async_hooks";

/** Who did something, as the audit log names them. */
export interface Actor {
  /** `admin`: whoever holds ADMIN_TOKEN or the installation's settings. */
  kind: "api_key" | "admin" | "system" | "telegram_user";
  /** The key's id; the door the administrator came by (api, console, cli); the process; the user's id. */
  id: string;
}

export const ACTOR_KINDS = ["api_key", "admin", "system", "telegram_user"] as const;

interface Acting {
  actor: Actor;
  /** The request in which it happened; null outside of one. */
  requestId: string | null;
}

/**
 * Whoever acts is known at the door: by the key, the session, the command. The change itself is made
 * rooms further down, and its entry is written there, in its own transaction. The actor travels with
 * the asynchronous call instead of through every signature between them, so that no room in between
 * can forget to hand it on, or hand on another's.
 */
const acting = new AsyncLocalStorage<Acting>();

/** Runs `work`; what it records was done by `actor`. */
export function actAs<Result>(actor: Actor, requestId: string | null, work: () => Result): Result {
  return acting.run({ actor, requestId }, work);
}

/** Undefined where nobody has come by a door: the process acts by itself. */
export const whoActs = (): Acting | undefined => acting.getStore();
