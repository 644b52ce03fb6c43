import type { fromMarkdown } from "mdast-util-from-markdown";
import { addressBehind, linkMark } from "./link-mark.ts";
import type { FormattedText, Mark } from "./message-entity.ts";
import { MAX_DEPTH, TextBuilder, tooDeep } from "./text-builder.ts";

type Root = ReturnType<typeof fromMarkdown>;
type Node = Root["children"][number];
type Parent = Extract<Node, { children: unknown[] }>;
type List = Extract<Node, { type: "list" }>;

const MARKS: Partial<Record<Node["type"], Mark["type"]>> = {
  emphasis: "italic",
  strong: "bold",
  delete: "strikethrough",
  heading: "bold",
  blockquote: "blockquote",
};

const RULE = "———";

/** Writes a tree of Markdown as text with entities. */
export class MarkdownWriter {
  private readonly builder = new TextBuilder();
  private readonly urls = new Map<string, string>();
  /** What each further line of an item begins with. */
  private indent = "";
  private depth = 0;

  /** Throws `TextError` for what is nested too deep. */
  write(root: Root): void {
    for (const node of root.children) this.define(node);
    this.blocks(root.children);
  }

  finish(): FormattedText {
    return this.builder.finish();
  }

  /** `[words][name]` goes where `[name]: address` says, wherever in the text it stands. */
  private define(node: Node): void {
    if (node.type === "definition" && !this.urls.has(node.identifier)) {
      this.urls.set(node.identifier, node.url);
    }
    if (node.type !== "blockquote") return;
    this.deeper(node, () => {
      for (const child of node.children) this.define(child);
    });
  }

  private blocks(nodes: readonly Node[]): void {
    let last: Node | null = null;
    for (const node of nodes) {
      if (node.type === "definition") continue;
      if (last !== null) this.between(last, node);
      this.node(node);
      last = node;
    }
  }

  /** As far apart as in the source: on the next line, or with a blank line between. */
  private between(above: Node, below: Node): void {
    const lines = (below.position?.start.line ?? 0) - (above.position?.end.line ?? 0);
    if (lines > 1) this.builder.append("\n");
    this.newLine();
  }

  private newLine(): void {
    this.builder.append(`\n${this.indent}`);
  }

  private node(node: Node): void {
    switch (node.type) {
      case "text":
        this.text(node.value);
        break;
      case "break":
        this.newLine();
        break;
      case "inlineCode":
        this.marked({ type: "code" }, node, () => this.text(node.value));
        break;
      case "code":
        this.code(node);
        break;
      case "thematicBreak":
        this.builder.append(RULE);
        break;
      case "list":
        this.list(node);
        break;
      case "link":
      case "linkReference":
        this.link(this.urlOf(node), node, () => this.children(node));
        break;
      case "image":
      case "imageReference":
        this.image(this.urlOf(node), node, node.alt);
        break;
      default:
        if ("children" in node) this.parent(node);
    }
  }

  private parent(node: Parent): void {
    const type = MARKS[node.type];
    const inside = () =>
      this.deeper(node, () => {
        if (node.type === "blockquote" || node.type === "listItem") this.blocks(node.children);
        else this.children(node);
      });
    if (type === undefined) inside();
    else this.marked({ type }, node, inside);
  }

  private children(node: Parent): void {
    for (const child of node.children) this.node(child);
  }

  private text(value: string): void {
    this.builder.append(this.indent === "" ? value : value.replaceAll("\n", `\n${this.indent}`));
  }

  private marked(mark: Mark, node: Node, write: () => void): void {
    this.builder.begin(mark, offsetOf(node));
    write();
    this.builder.end();
  }

  private code(node: Extract<Node, { type: "code" }>): void {
    const language = /^\S{1,64}$/.exec(node.lang ?? "")?.[0];
    const mark: Mark = language === undefined ? { type: "pre" } : { type: "pre", language };
    this.marked(mark, node, () => this.builder.append(node.value));
  }

  private list(list: List): void {
    const outer = this.indent;
    let last: Node | null = null;
    for (const [n, item] of list.children.entries()) {
      if (last !== null) this.between(last, item);
      this.builder.append(list.ordered ? `${(list.start ?? 1) + n}. ` : "• ");
      this.indent = `${outer}  `;
      this.parent(item);
      this.indent = outer;
      last = item;
    }
  }

  private urlOf(node: { url: string } | { identifier: string }): string {
    return "url" in node ? node.url : (this.urls.get(node.identifier) ?? "");
  }

  /** Where Telegram makes no link, the address stands behind the words. */
  private link(url: string, node: Node, words: () => void): void {
    this.deeper(node, () => {
      const start = this.builder.length;
      const mark = linkMark(url);
      if (mark !== null) {
        this.marked(mark, node, words);
        return;
      }
      words();
      this.builder.append(addressBehind(url, this.builder.since(start)));
    });
  }

  /** Bot API: `tg://emoji?id=…` is a custom emoji, which its description stands for. */
  private image(url: string, node: Node, description: string | null | undefined): void {
    const emoji = /^tg:\/\/emoji\?id=([0-9]{1,20})$/.exec(url)?.[1];
    const words = () => this.text(description || url);
    if (emoji === undefined || !description) this.link(url, node, words);
    else this.marked({ type: "custom_emoji", custom_emoji_id: emoji }, node, words);
  }

  private deeper(node: Node, write: () => void): void {
    if (this.depth >= MAX_DEPTH) throw tooDeep(offsetOf(node));
    this.depth++;
    write();
    this.depth--;
  }
}

const offsetOf = (node: Node) => node.position?.start.offset ?? 0;
