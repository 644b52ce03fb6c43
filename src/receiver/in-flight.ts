/** Whose a request is. */
export interface Holder {
  workspaceId: string;
  connectorId: string;
}

/**
 * How many requests of proven bots are under way, and whether there is room for one more of a bot.
 *
 * A bot and its workspace together may hold no more than are still free. So the more somebody has,
 * the sooner it is refused: a bot alone is left a third of the places, a workspace with many bots a
 * half, and whoever comes later finds room. Nobody needs to know who else is there, and shares become
 * even by themselves as requests end. (Buffer management in switches: dynamic thresholds.)
 */
export class InFlight {
  private readonly most: number;
  private total = 0;
  /** By workspace, and by bot: their ids are of one kind, and never the same. */
  private readonly held = new Map<string, number>();

  constructor(most: number) {
    this.most = most;
  }

  /** Takes a place, to be given back with `leave`; false when there is none for this bot now. */
  enter({ workspaceId, connectorId }: Holder): boolean {
    const ofBot = this.held.get(connectorId) ?? 0;
    const ofWorkspace = this.held.get(workspaceId) ?? 0;
    if (ofBot + ofWorkspace >= this.most - this.total) return false;
    this.total++;
    this.held.set(connectorId, ofBot + 1);
    this.held.set(workspaceId, ofWorkspace + 1);
    return true;
  }

  leave({ workspaceId, connectorId }: Holder): void {
    this.total--;
    for (const id of [workspaceId, connectorId]) {
      const left = (this.held.get(id) ?? 1) - 1;
      if (left === 0) this.held.delete(id);
      else this.held.set(id, left);
    }
  }
}
