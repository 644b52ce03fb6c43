import {
  type FormattedText,
  isCode,
  isQuote,
  isStyle,
  type Mark,
  type MessageEntity,
} from "./message-entity.ts";
import { TextError } from "./text-error.ts";

/** Nobody means more; and whoever walks a tree walks it by recursion. */
export const MAX_DEPTH = 32;

export const tooDeep = (position: number) =>
  new TextError(`is nested deeper than ${MAX_DEPTH} levels at ${position}`, position);

interface OpenMark {
  mark: Mark;
  start: number;
  /** Which one it was to begin: of two over the same text the outer one comes first. */
  order: number;
  /** False: Telegram knows no such mark inside the marks around it. Its text stays. */
  counts: boolean;
}

/**
 * Text and its marks as a parser comes upon them, turned into entities that Telegram takes as they
 * are (Bot API: Formatting options). What may not stand inside another is left out: anything in code,
 * a quote in a quote, a link in a link, bold in bold. Styles end before code and begin again after it.
 */
export class TextBuilder {
  private text = "";
  private begun = 0;
  private readonly open: OpenMark[] = [];
  private readonly done: { entity: MessageEntity; order: number }[] = [];

  get length(): number {
    return this.text.length;
  }

  /** The text from there on. */
  since(start: number): string {
    return this.text.slice(start);
  }

  append(text: string): void {
    this.text += text;
  }

  /** Throws `TextError` when it would stand too deep inside others. `position`: for that error. */
  begin(mark: Mark, position: number): void {
    if (this.open.length >= MAX_DEPTH) throw tooDeep(position);
    const counts = this.open.every((outer) => !outer.counts || mayHold(outer.mark, mark));
    if (counts && isCode(mark.type)) this.interruptStyles();
    this.open.push({ mark, start: this.text.length, order: this.begun++, counts });
  }

  /** Ends what began last. */
  end(): void {
    const mark = this.open.pop();
    if (mark === undefined) return;
    this.write(mark);
    if (!mark.counts || !isCode(mark.mark.type)) return;
    for (const outer of this.open) {
      if (isStyle(outer.mark.type)) outer.start = this.text.length;
    }
  }

  /** Without white space at both ends, as Telegram has it. */
  finish(): FormattedText {
    const text = this.text.trim();
    const cut = this.text.length - this.text.trimStart().length;
    const sorted = this.done.toSorted(
      (a, b) =>
        a.entity.offset - b.entity.offset || b.entity.length - a.entity.length || a.order - b.order,
    );
    const entities = sorted.map(({ entity }) => {
      const start = Math.max(0, entity.offset - cut);
      const end = Math.min(text.length, entity.offset + entity.length - cut);
      return { ...entity, offset: start, length: end - start };
    });
    return { text, entities };
  }

  private interruptStyles(): void {
    for (const outer of this.open) if (isStyle(outer.mark.type)) this.write(outer);
  }

  private write({ mark, start, order, counts }: OpenMark): void {
    if (!counts || !/\S/.test(this.text.slice(start))) return;
    const entity = { ...mark, offset: start, length: this.text.length - start };
    this.done.push({ entity, order });
  }
}

function mayHold(outer: Mark, inner: Mark): boolean {
  if (isCode(outer.type)) return false;
  if (isStyle(outer.type)) return outer.type !== inner.type;
  if (isQuote(outer.type)) return !isQuote(inner.type);
  return isStyle(inner.type);
}
