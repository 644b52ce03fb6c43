import { Tokenizer, type TokenizerCallbacks } from "htmlparser2";
import { addressBehind, linkMark } from "./link-mark.ts";
import type { EntityType, FormattedText, Mark } from "./message-entity.ts";
import { MAX_DEPTH, TextBuilder, tooDeep } from "./text-builder.ts";
import { TextError } from "./text-error.ts";

/** Bot API: HTML style. */
const TAGS: Record<string, EntityType> = {
  b: "bold",
  strong: "bold",
  i: "italic",
  em: "italic",
  u: "underline",
  ins: "underline",
  s: "strikethrough",
  strike: "strikethrough",
  del: "strikethrough",
  span: "spoiler",
  "tg-spoiler": "spoiler",
  "tg-emoji": "custom_emoji",
  "tg-time": "date_time",
  a: "text_link",
  code: "code",
  pre: "pre",
  blockquote: "blockquote",
};

const DATE_TIME_FORMAT = /^(?:r|w?[dD]?[tT]?)$/;

interface Tag {
  name: string;
  position: number;
  attributes: Map<string, string>;
}

/** An element that is open, and where its words begin. */
interface OpenElement extends Tag {
  start: number;
  /** Null: an `<a>` to where Telegram makes no link. */
  mark: Mark | null;
}

/**
 * Telegram's HTML, and `<br>`. Stricter than a browser and as strict as Telegram: what is unknown, or
 * not closed, is the caller's mistake. `&lt; &gt; &amp; &quot; &apos;` and numbers are decoded,
 * other names stay as they are, as at Telegram. Takes time in proportion to the source's length.
 *
 * Throws `TextError`.
 */
export function parseHtml(source: string): FormattedText {
  const reader = new HtmlReader(source);
  const tokenizer = new Tokenizer({ xmlMode: true }, reader);
  tokenizer.write(source);
  tokenizer.end();
  return reader.result();
}

class HtmlReader implements TokenizerCallbacks {
  private readonly source: string;
  private readonly builder = new TextBuilder();
  private readonly open: OpenElement[] = [];
  private tag: Tag | null = null;
  private attribute = { name: "", value: "" };
  /** Everything before it has been told of. What is left out at the end is a tag without its end. */
  private done = 0;

  constructor(source: string) {
    this.source = source;
  }

  result(): FormattedText {
    return this.builder.finish();
  }

  ontext(start: number, end: number): void {
    if (start !== this.done) this.refuseUnfinished();
    this.done = end;
    this.builder.append(this.source.slice(start, end));
  }

  ontextentity(codepoint: number, end: number): void {
    this.done = end;
    this.builder.append(String.fromCodePoint(codepoint));
  }

  onopentagname(start: number, end: number): void {
    const name = this.source.slice(start, end).toLowerCase();
    const position = start - 1;
    if (name !== "br" && !Object.hasOwn(TAGS, name)) {
      const told = `has an unknown tag ${quoted(name)} at ${position}`;
      throw new TextError(`${told}; write < as &lt; where no tag is meant`, position);
    }
    this.tag = { name, position, attributes: new Map() };
  }

  onattribname(start: number, end: number): void {
    this.attribute = { name: this.source.slice(start, end).toLowerCase(), value: "" };
  }

  onattribdata(start: number, end: number): void {
    this.attribute.value += this.source.slice(start, end);
  }

  onattribentity(codepoint: number): void {
    this.attribute.value += String.fromCodePoint(codepoint);
  }

  onattribend(): void {
    const { name, value } = this.attribute;
    if (this.tag?.attributes.has(name) === false) this.tag.attributes.set(name, value);
  }

  onopentagend(end: number): void {
    this.done = end + 1;
    const { tag } = this;
    this.tag = null;
    if (tag === null) return;
    if (tag.name === "br") this.builder.append("\n");
    else this.begin(tag);
  }

  onselfclosingtag(end: number): void {
    const { tag } = this;
    this.onopentagend(end);
    if (tag !== null && tag.name !== "br") this.end();
  }

  onclosetag(start: number, end: number): void {
    const position = start - 2;
    const close = this.source.indexOf(">", end);
    if (close < 0) this.refuseUnfinished();
    this.done = close + 1;
    const name = this.source.slice(start, end).toLowerCase();
    const element = this.open.at(-1);
    if (element?.name !== name) {
      const instead = element === undefined ? "no tag" : `<${element.name}>`;
      const told = `has ${quoted(`/${name}`)} at ${position} where ${instead} is open`;
      throw new TextError(told, position);
    }
    this.end();
  }

  oncomment(start: number): void {
    this.refuseDeclaration(start);
  }

  oncdata(start: number): void {
    this.refuseDeclaration(start);
  }

  ondeclaration(start: number): void {
    this.refuseDeclaration(start);
  }

  onprocessinginstruction(start: number): void {
    this.refuseDeclaration(start);
  }

  onend(): void {
    if (this.done < this.source.length) this.refuseUnfinished();
    const element = this.open.at(-1);
    if (element === undefined) return;
    const { name, position } = element;
    throw new TextError(`has <${name}> at ${position}, which is never closed`, position);
  }

  private begin(tag: Tag): void {
    const { position } = tag;
    // A link that becomes none is no mark, whose depth the builder bounds.
    if (this.open.length >= MAX_DEPTH) throw tooDeep(position);
    const outer = this.open.at(-1);
    // Bot API: the language of a block stands with the <code> that is alone in it.
    if (outer?.mark?.type === "pre" && tag.name === "code" && this.isFirstIn(outer)) {
      const language = languageIn(tag);
      if (language !== undefined) outer.mark.language = language;
    }
    const mark = markOf(tag);
    if (mark !== null) this.builder.begin(mark, position);
    this.open.push({ ...tag, mark, start: this.builder.length });
  }

  private end(): void {
    const element = this.open.pop();
    if (element === undefined) return;
    if (element.mark !== null) this.builder.end();
    else this.builder.append(addressBehind(hrefOf(element), this.builder.since(element.start)));
  }

  private isFirstIn({ start }: OpenElement): boolean {
    return this.builder.length === start;
  }

  private refuseDeclaration(start: number): never {
    const position = this.source.lastIndexOf("<", start);
    throw new TextError(`has a comment or declaration at ${position}`, position);
  }

  private refuseUnfinished(): never {
    const position = this.done;
    throw new TextError(`has a tag at ${position} that does not end`, position);
  }
}

/** Null: a link to where Telegram makes none. Throws `TextError` for a tag that lacks what it needs. */
function markOf(tag: Tag): Mark | null {
  const { attributes, position } = tag;
  const type = TAGS[tag.name] ?? "bold";
  const needs = (what: string): TextError =>
    new TextError(`has <${tag.name}> at ${position} without ${what}`, position);
  switch (type) {
    case "spoiler":
      if (tag.name === "span" && attributes.get("class") !== "tg-spoiler") {
        throw needs('class="tg-spoiler"');
      }
      return { type };
    case "custom_emoji": {
      const id = attributes.get("emoji-id") ?? "";
      if (!/^[0-9]{1,20}$/.test(id)) throw needs("a number as its emoji-id");
      return { type, custom_emoji_id: id };
    }
    case "date_time": {
      const unix = attributes.get("unix") ?? "";
      const format = attributes.get("format");
      if (!/^[0-9]{1,11}$/.test(unix)) throw needs("a time in seconds as its unix");
      if (format !== undefined && !DATE_TIME_FORMAT.test(format)) throw needs("a known format");
      const time = { type, unix_time: Number(unix) };
      return format === undefined ? time : { ...time, date_time_format: format };
    }
    case "text_link": {
      const url = hrefOf(tag);
      if (url === "") throw needs("an href");
      return linkMark(url);
    }
    case "blockquote":
      return { type: attributes.has("expandable") ? "expandable_blockquote" : type };
    default:
      return { type };
  }
}

const hrefOf = ({ attributes }: Tag) => attributes.get("href")?.trim() ?? "";

function languageIn({ attributes }: Tag): string | undefined {
  return /^language-(\S{1,64})$/.exec(attributes.get("class") ?? "")?.[1];
}

const quoted = (name: string) => `<${name.length > 32 ? `${name.slice(0, 32)}…` : name}>`;
