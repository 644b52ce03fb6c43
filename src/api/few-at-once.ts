import { Problem } from "../platform/index.ts";

export interface Places {
  /** In this process at once. */
  most: number;
  /** Of one workspace. */
  mostOfOne: number;
  /** What is said to one too many. */
  busy: string;
}

/** Bounds what holds much of a process while it lasts: a large body, a connection to the database. */
export class FewAtOnce {
  private readonly places: Places;
  private total = 0;
  private readonly held = new Map<string, number>();

  constructor(places: Places) {
    this.places = places;
  }

  /** Takes a place, and answers how to give it back. Throws `Problem` 503 when there is none now. */
  enter(workspaceId: string): () => void {
    const { most, mostOfOne, busy } = this.places;
    const own = this.held.get(workspaceId) ?? 0;
    if (this.total >= most || own >= mostOfOne) {
      throw new Problem(503, "Unavailable", busy, { headers: { "retry-after": "5" } });
    }
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
}
