import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmStrikethroughFromMarkdown } from "mdast-util-gfm-strikethrough";
import { gfmStrikethrough } from "micromark-extension-gfm-strikethrough";
import { checkMarkdownCost } from "./markdown-cost.ts";
import { MarkdownWriter } from "./markdown-writer.ts";
import type { FormattedText } from "./message-entity.ts";

const OPTIONS = {
  extensions: [
    // One tilde stands before an approximate number more often than around something struck out.
    gfmStrikethrough({ singleTilde: false }),
    // Literal. Parsed as HTML, unclosed comments would each be read to the end of the paragraph.
    { disable: { null: ["htmlFlow", "htmlText"] } },
  ],
  mdastExtensions: [gfmStrikethroughFromMarkdown()],
};

/**
 * CommonMark with GFM's strikethrough, as far as a message can show it: lists become lines with
 * bullets and numbers, headings bold lines, images links. HTML is literal.
 *
 * Throws `TextError` for what is nested too deep, or would take too long to read.
 */
export function parseMarkdown(source: string): FormattedText {
  checkMarkdownCost(source);
  const writer = new MarkdownWriter();
  writer.write(fromMarkdown(source, OPTIONS));
  return writer.finish();
}
