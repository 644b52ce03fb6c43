import { MAX_DEPTH, tooDeep } from "./text-builder.ts";
import { TextError } from "./text-error.ts";

/** Of a paragraph, at most: the parser looks back over all of them at each (`a*_`, 13,000 times: 16 s). */
const MAX_IN_PARAGRAPH = 1_000;
/** In all: the densest text that is let through takes 0.4 s of a processor, and nobody else is served meanwhile. */
const MAX_IN_ALL = 5_000;

/** What opens a quote or an item, with what may stand before it. */
const CONTAINER = /[ \t]*(?:>|(?:[-+*]|[0-9]{1,9}[.)])(?=[ \t]|$))/y;

/**
 * Refuses, before it is parsed, what would take its parser more than time in proportion to its
 * length. Brackets, stars and the like are weighed against one another within a paragraph, which a
 * blank line ends whatever it stands in; quotes and lists cost each line as often as they are nested.
 *
 * Throws `TextError`.
 */
export function checkMarkdownCost(source: string): void {
  let position = 0;
  let inAll = 0;
  let inParagraph = 0;
  for (const line of source.split("\n")) {
    if (depthOf(line) > MAX_DEPTH) throw tooDeep(position);
    if (line.trim() === "") inParagraph = 0;
    const markers = line.match(/[*_~`[\]<!&\\]/g)?.length ?? 0;
    inParagraph += markers;
    inAll += markers;
    if (inParagraph > MAX_IN_PARAGRAPH) {
      throw tooMany(`${MAX_IN_PARAGRAPH} marks of Markdown in one paragraph`, position);
    }
    if (inAll > MAX_IN_ALL) throw tooMany(`${MAX_IN_ALL} marks of Markdown`, position);
    position += line.length + 1;
  }
}

const tooMany = (what: string, position: number) =>
  new TextError(`has more than ${what} at ${position}`, position);

/** How many quotes and items begin on a line, one inside the other. */
function depthOf(line: string): number {
  CONTAINER.lastIndex = 0;
  let depth = 0;
  while (CONTAINER.test(line)) depth++;
  return depth;
}
