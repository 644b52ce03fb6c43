/**
 * How many requests of proven bots are under way, and whether there is room for one more of a bot.
 *
 * A bot may hold as many as are still free: alone half of all, beside another a third, and so on.
 * So there is always room for one that has none under way, however many connections others have,
 * and nobody needs to know who else is there.
 */
export class InFlight {
  private readonly most: number;
  private total = 0;
  private readonly ofBots = new Map<string, number>();

  constructor(most: number) {
    this.most = most;
  }

  /** Takes a place, to be given back with `leave`; false when there is none for this bot now. */
  enter(bot: string): boolean {
    const ofBot = this.ofBots.get(bot) ?? 0;
    if (ofBot >= this.most - this.total) return false;
    this.total++;
    this.ofBots.set(bot, ofBot + 1);
    return true;
  }

  leave(bot: string): void {
    const left = (this.ofBots.get(bot) ?? 1) - 1;
    this.total--;
    if (left === 0) this.ofBots.delete(bot);
    else this.ofBots.set(bot, left);
  }
}
