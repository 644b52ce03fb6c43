/** A first-in-first-out list whose both ends cost the same at any length (Array.shift does not). */
export class Fifo<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  peek(): Item | undefined {
    return this.#items[this.#head];
  }

  peekSecond(): Item | undefined {
    return this.#items[this.#head + 1];
  }

  shift(): Item | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Lets the second item go before the first. There must be two. */
  swapFirstTwo(): void {
    const [first, second] = this.slice(0, 2);
    this.#items[this.#head] = second;
    this.#items[this.#head + 1] = first;
  }

  /** Up to `count` items from position `from` on (0 is the oldest), as a new array. */
  slice(from: number, count = Number.POSITIVE_INFINITY): Item[] {
    const start = this.#head + from;
    return this.#items.slice(start, Math.min(start + count, this.#items.length)) as Item[];
  }
}
