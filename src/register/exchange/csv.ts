/**
 * CSV as spreadsheets write it (RFC 4180), read row by row with the line of the file that each begins
 * at. A reader of our own, because every problem is told by that line: csv-parse counts the line breaks
 * inside quotation marks twice where they are CRLF, and ends at the first fault
 * (docs/decisions/0029-files-are-read-by-line.md).
 */
export interface CsvRow {
  line: number;
  cells: string[];
  /** What is wrong with it as CSV. */
  fault?: string;
}

export const SEPARATORS = [",", ";", "\t"] as const;
export type Separator = (typeof SEPARATORS)[number];

const QUOTE = '"';
const [LF, CR] = [10, 13];
/** A row that has more is not a table's: nobody holds its cells in memory. */
const MAX_CELLS = 1_000;
/** Nor one that is longer, in UTF-16 units; and while a row is read nothing else is done. */
const MAX_ROW_LENGTH = 1_048_576;

/**
 * All rows, also those that hold nothing: a file may have millions of them, and whoever reads it gives
 * way to other work between two rows. After one that is too long nothing comes.
 * `separator`: default: the one that the first row has most of.
 */
export function* readCsv(text: string, separator?: Separator): Generator<CsvRow> {
  const reader = new CsvReader(text);
  // A line that Excel writes and reads.
  const told = /^sep=([,;\t])\r?\n/i.exec(text)?.[1];
  const known = SEPARATORS.find((one) => one === told);
  if (known !== undefined) reader.skipLine();
  const used = separator ?? known ?? likelySeparator(text);
  while (!reader.isDone) yield reader.row(used);
}

/** An empty line, or a spreadsheet's row without a value. */
export const holdsNothing = ({ cells, fault }: CsvRow): boolean =>
  fault === undefined && cells.every((cell) => cell === "");

/** The one that stands most often in the first row outside of quotation marks. */
function likelySeparator(text: string): Separator {
  const counts: Record<Separator, number> = { ",": 0, ";": 0, "\t": 0 };
  let isQuoted = false;
  for (const char of text.slice(0, 65_536)) {
    if (char === QUOTE) isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (char === "\n" || char === "\r") break;
    else if (char === "," || char === ";" || char === "\t") counts[char]++;
  }
  return SEPARATORS.reduce((best, one) => (counts[one] > counts[best] ? one : best));
}

class CsvReader {
  private readonly text: string;
  private at = 0;
  private line = 1;
  /** Where the row under way is too long. */
  private rowLimit = 0;

  constructor(text: string) {
    this.text = text;
  }

  get isDone(): boolean {
    return this.at >= this.text.length;
  }

  skipLine(): void {
    this.at = this.text.indexOf("\n") + 1;
    this.line++;
  }

  row(separator: Separator): CsvRow {
    const row: CsvRow = { line: this.line, cells: [] };
    const separatorCode = separator.charCodeAt(0);
    this.rowLimit = this.at + MAX_ROW_LENGTH;
    for (;;) {
      const cell =
        this.text.charAt(this.at) === QUOTE
          ? this.quotedCell(row, separatorCode)
          : this.plainCell(separatorCode);
      if (this.at > this.rowLimit) {
        row.fault ??= "is longer than 1 MB; what comes after it is not read";
        this.at = this.text.length;
        return row;
      }
      if (row.cells.length < MAX_CELLS) row.cells.push(cell);
      else row.fault ??= `has more than ${MAX_CELLS} cells`;
      if (this.text.charCodeAt(this.at) === separatorCode) {
        this.at++;
        continue;
      }
      this.endOfLine();
      return row;
    }
  }

  /** Up to a separator, the end of the line or of the text. */
  private plainCell(separatorCode: number): string {
    const from = this.at;
    const end = Math.min(this.text.length, this.rowLimit + 1);
    for (; this.at < end; this.at++) {
      const code = this.text.charCodeAt(this.at);
      if (code === separatorCode || code === LF || code === CR) break;
    }
    return this.text.slice(from, this.at);
  }

  private quotedCell(row: CsvRow, separatorCode: number): string {
    const { text } = this;
    let cell = "";
    this.at++;
    for (;;) {
      const end = text.indexOf(QUOTE, this.at);
      if (end === -1) {
        row.fault ??= "a quotation mark is opened and never closed";
        this.at = text.length;
        return cell;
      }
      if (end > this.rowLimit) {
        this.at = end;
        return cell;
      }
      const part = text.slice(this.at, end);
      this.line += lineBreaks(part);
      cell += part;
      this.at = end + 1;
      if (text.charAt(this.at) !== QUOTE) break;
      cell += QUOTE;
      this.at++;
    }
    const rest = this.plainCell(separatorCode);
    if (rest.trim() !== "") row.fault ??= "a cell goes on after its closing quotation mark";
    return cell;
  }

  private endOfLine(): void {
    if (this.isDone) return;
    if (this.text.charCodeAt(this.at) === CR && this.text.charCodeAt(this.at + 1) === LF) this.at++;
    this.at++;
    this.line++;
  }
}

/** CRLF, LF and CR each end a line, as editors have it. */
function lineBreaks(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === LF || (code === CR && text.charCodeAt(at + 1) !== LF)) count++;
  }
  return count;
}

/** A row with its line end, which is CRLF. */
export const csvLine = (cells: readonly string[]): string => `${cells.map(csvCell).join(",")}\r\n`;

/** In quotation marks where another separator, too, would end it, or spaces might get lost. */
const csvCell = (cell: string): string =>
  /[",;\t\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll(QUOTE, '""')}"` : cell;
