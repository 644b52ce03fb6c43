/**
 * The entries of a JSON file one by one, each with its line: `[{…}, …]`, or `{"controls": [{…}, …], …}`
 * for several kinds. `JSON.parse` of the whole tells no lines, and holds up the process for as long as
 * a large file takes.
 */
export type JsonPiece =
  | { line: number; list: string | null; json: string }
  /** What is wrong; nothing comes after it. */
  | { line: number; fault: string };

export const MAX_RECORD_LENGTH = 1_048_576;
/** There are few kinds; and of lists without an entry nobody hears while they are read. */
const MAX_LISTS = 100;

const [QUOTE, BACKSLASH, LF, CR] = [34, 92, 10, 13];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [123, 125, 91, 93];

class JsonFault extends Error {}

export function* jsonRecords(text: string): Generator<JsonPiece> {
  const scanner = new JsonScanner(text);
  try {
    if (scanner.next("[", "{") === "[") {
      yield* scanner.records(null);
    } else if (scanner.next('"', "}") === '"') {
      let lists = 0;
      do {
        if (++lists > MAX_LISTS) throw new JsonFault(`the file has more than ${MAX_LISTS} lists`);
        const name = scanner.name();
        scanner.next(":");
        scanner.next("[");
        yield* scanner.records(name);
      } while (scanner.next(",", "}") === "," && scanner.next('"') === '"');
    }
    scanner.end();
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    yield { line: scanner.line, fault: error.message };
  }
}

class JsonScanner {
  private readonly text: string;
  private at = 0;
  line = 1;

  constructor(text: string) {
    this.text = text;
  }

  /** Steps over one of `chars`. */
  next(...chars: string[]): string {
    this.skipSpace();
    const found = this.text.charAt(this.at);
    if (!chars.includes(found)) {
      const wanted = chars.join(" or ");
      throw new JsonFault(
        found === "" ? `the file ends where ${wanted} should stand` : `${wanted} should stand here`,
      );
    }
    this.at++;
    return found;
  }

  end(): void {
    this.skipSpace();
    if (this.at < this.text.length) throw new JsonFault("the file goes on after its end");
  }

  /** A name whose quotation mark has been stepped over. */
  name(): string {
    const from = this.at - 1;
    this.skipString();
    try {
      return String(JSON.parse(this.text.slice(from, this.at)));
    } catch {
      throw new JsonFault("the name of a list cannot be read");
    }
  }

  /** Those of a list whose bracket has been stepped over, with the closing one. */
  *records(list: string | null): Generator<JsonPiece> {
    this.skipSpace();
    if (this.text.charCodeAt(this.at) === CLOSE_BRACKET) {
      this.at++;
      return;
    }
    do {
      this.skipSpace();
      const { line } = this;
      yield { line, list, json: this.record() };
    } while (this.next(",", "]") === ",");
  }

  private record(): string {
    const from = this.at;
    this.next("{");
    let depth = 1;
    while (depth > 0) {
      if (this.at >= this.text.length) throw new JsonFault("the file ends inside an entry");
      if (this.at - from > MAX_RECORD_LENGTH) throw new JsonFault("an entry is longer than 1 MB");
      const code = this.text.charCodeAt(this.at);
      if (code === QUOTE) {
        this.at++;
        this.skipString();
        continue;
      }
      if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
      else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--;
      else this.countLine(code);
      this.at++;
    }
    return this.text.slice(from, this.at);
  }

  /** To behind the quotation mark that closes the string. */
  private skipString(): void {
    for (; this.at < this.text.length; this.at++) {
      const code = this.text.charCodeAt(this.at);
      if (code === BACKSLASH) this.at++;
      else if (code === QUOTE) break;
      else this.countLine(code);
    }
    if (this.at >= this.text.length) throw new JsonFault("the file ends inside a text");
    this.at++;
  }

  private skipSpace(): void {
    for (; this.at < this.text.length; this.at++) {
      const code = this.text.charCodeAt(this.at);
      if (code !== LF && code !== CR && code !== 32 && code !== 9) return;
      this.countLine(code);
    }
  }

  /** CRLF counts with its second half. */
  private countLine(code: number): void {
    if (code === LF || (code === CR && this.text.charCodeAt(this.at + 1) !== LF)) this.line++;
  }
}
