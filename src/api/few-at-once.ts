import { Problem } from "../platform/index.ts";

export interface Places {
  /** In this process at once. */
  most: number;
  /** Of one workspace. */
  mostOfOne: number;
  /** What is said to one too many. */
  busy: string;
}

const RETRY_AFTER_S = 5;
/** How long a place is kept for whoever was turned away: so that asking again in time finds it. */
const KEPT_MS = 2 * RETRY_AFTER_S * 1_000;

/**
 * Bounds what holds much of a process while it lasts: a large body, a connection to the database. No few
 * workspaces keep the others out:
 *
 * - one has another place only while more are free than it holds, so that the last ones are left to others
 * - one that holds none and is turned away is next: what becomes free is kept for it a while
 */
export class FewAtOnce {
  private readonly places: Places;
  private readonly nowMs: () => number;
  private total = 0;
  private readonly held = new Map<string, number>();
  /** Workspaces that hold none and asked, the first first, with when they asked last. */
  private readonly turnedAway = new Map<string, number>();

  constructor(places: Places, nowMs = () => performance.now()) {
    this.places = places;
    this.nowMs = nowMs;
  }

  /** Takes a place, and answers how to give it back. Throws `Problem` 503 when there is none now. */
  enter(workspaceId: string): () => void {
    const { mostOfOne, busy } = this.places;
    const own = this.held.get(workspaceId) ?? 0;
    const free = this.freeFor(workspaceId);
    const isLetIn = own === 0 ? free > 0 : own < mostOfOne && own < free;
    if (!isLetIn) {
      if (own === 0) this.turnedAway.set(workspaceId, this.nowMs());
      throw new Problem(503, "Unavailable", busy, {
        headers: { "retry-after": String(RETRY_AFTER_S) },
      });
    }
    this.turnedAway.delete(workspaceId);
    this.total++;
    this.held.set(workspaceId, own + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.total--;
      const left = (this.held.get(workspaceId) ?? 1) - 1;
      if (left === 0) this.held.delete(workspaceId);
      else this.held.set(workspaceId, left);
    };
  }

  /** Without those that are kept for who asked before. */
  private freeFor(workspaceId: string): number {
    const sinceMs = this.nowMs() - KEPT_MS;
    let free = this.places.most - this.total;
    for (const [asked, lastMs] of this.turnedAway) {
      if (lastMs < sinceMs) this.turnedAway.delete(asked);
      else if (asked === workspaceId) break;
      else free--;
    }
    return free;
  }
}
