import { connect, type Socket } from "node:net";
import { type Scanner, ScannerAway, type ScanVerdict } from "./scanner.ts";

/** In ms. */
export interface ClamdTimes {
  /** For the connection, and for each piece to be taken. */
  stallMs: number;
  /** From the last byte to the answer: archives take it long. */
  answerMs: number;
}

const TIMES: ClamdTimes = { stallMs: 30_000, answerMs: 300_000 };
const PIECE_BYTES = 65_536;
const MAX_ANSWER_BYTES = 4_096;
const MAX_FINDING = 100;

/**
 * clamd over TCP, by its command INSTREAM (man clamd): pieces, each behind its length in four bytes, the
 * largest first; a piece of nothing ends them. It answers `stream: OK`, `stream: <name> FOUND`, or a
 * line that ends in ERROR. A file beyond its StreamMaxLength it answers before the end, and hangs up.
 */
export function createClamd(
  { host, port }: { host: string; port: number },
  times: ClamdTimes = TIMES,
): Scanner {
  return {
    scan: async (content, signal) => {
      signal.throwIfAborted();
      const talk = new Talk(connect({ host, port }));
      const abort = () => talk.end();
      signal.addEventListener("abort", abort, { once: true });
      try {
        await talk.connected(times.stallMs);
        await talk.say(Buffer.from("zINSTREAM\0"), times.stallMs);
        for await (const part of content) {
          for (let from = 0; from < part.length; from += PIECE_BYTES) {
            if (talk.isAnswered) break;
            await talk.say(pieceOf(part.subarray(from, from + PIECE_BYTES)), times.stallMs);
          }
          if (talk.isAnswered) break;
        }
        if (!talk.isAnswered) await talk.say(pieceOf(new Uint8Array()), times.stallMs);
        return verdictOf(await talk.answer(times.answerMs));
      } finally {
        signal.removeEventListener("abort", abort);
        talk.end();
      }
    },
  };
}

function pieceOf(content: Uint8Array): Buffer {
  const piece = Buffer.allocUnsafe(4 + content.length);
  piece.writeUInt32BE(content.length);
  piece.set(content, 4);
  return piece;
}

/** By its own words; what is none of them is no answer. */
export function verdictOf(answer: string): ScanVerdict {
  const line = (answer.split("\0")[0] ?? "").trim();
  if (/^(?:\S+: )?OK$/.test(line)) return { is: "clean" };
  const found = /^(?:\S+: )?(.+) FOUND$/.exec(line)?.[1];
  if (found !== undefined) {
    return { is: "infected", finding: found.replace(/[^\x20-\x7e]/g, "?").slice(0, MAX_FINDING) };
  }
  if (/size limit exceeded/i.test(line)) {
    return { is: "unlooked", why: "the file is larger than the scanner takes (StreamMaxLength)" };
  }
  throw new ScannerAway(/ERROR$/.test(line) ? "the scanner failed" : "no answer of a scanner");
}

/** One connection; every wait on it has an end. */
class Talk {
  private readonly socket: Socket;
  private heard = Buffer.alloc(0);
  private over = false;
  /** Of whoever waits for something to happen. */
  private wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      if (this.heard.length < MAX_ANSWER_BYTES) this.heard = Buffer.concat([this.heard, chunk]);
      this.wake();
    });
    for (const event of ["connect", "drain"]) socket.on(event, () => this.wake());
    // `close` follows.
    socket.on("error", () => {});
    socket.on("close", () => {
      this.over = true;
      this.wake();
    });
  }

  /** Whatever it says before it was told everything is its answer. */
  get isAnswered(): boolean {
    return this.heard.length > 0;
  }

  async connected(withinMs: number): Promise<void> {
    await this.until(() => !this.socket.connecting && !this.over, withinMs);
  }

  /** Until it was taken, or an answer is there. */
  async say(bytes: Buffer, withinMs: number): Promise<void> {
    if (this.over) {
      if (this.isAnswered) return;
      throw new ScannerAway("no connection to the scanner");
    }
    if (this.socket.write(bytes)) return;
    await this.until(() => this.isAnswered || !this.socket.writableNeedDrain, withinMs);
  }

  async answer(withinMs: number): Promise<string> {
    await this.until(() => this.heard.includes(0) || this.over, withinMs);
    return this.heard.toString("latin1");
  }

  end(): void {
    this.socket.destroy();
  }

  private async until(holds: () => boolean, withinMs: number): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.wake();
    }, withinMs);
    try {
      while (!holds()) {
        if (late) throw new ScannerAway("the scanner took too long");
        if (this.over) throw new ScannerAway("the scanner hung up");
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
      this.wake = () => {};
    }
  }
}
