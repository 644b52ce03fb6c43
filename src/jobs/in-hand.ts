/**
 * What this process runs at this moment, in ids: all that can be said of it should it never come
 * back. Told as one line to whoever listens (a watchdog), each time something begins or ends.
 */
export class InHand {
  private readonly running = new Set<string>();
  private listener: ((text: string) => void) | undefined;

  /** Replaces the listener. */
  listen(listener: (text: string) => void): void {
    this.listener = listener;
  }

  /** Says that something begins; the function given back says that it ended. */
  begin(text: string): () => void {
    if (this.listener === undefined) return () => {};
    this.running.add(text);
    this.tell();
    return () => {
      this.running.delete(text);
      this.tell();
    };
  }

  private tell(): void {
    this.listener?.([...this.running].join("; "));
  }
}
