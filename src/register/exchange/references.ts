import type { Kind } from "../kinds.ts";

/**
 * How files name other entries: by code, and what has its code within another by both,
 * `FRAMEWORK/CODE`. A slash in the first is written `\/`. Several stand in one cell between semicolons;
 * one that is part of a code is written `\;`.
 */
export interface Reference {
  /** Null: of an entry whose code means something by itself, or its owner was left out. */
  within: string | null;
  code: string;
}

export function referenceText({ within, code }: Reference): string {
  if (within === null) return code;
  return `${within.replaceAll("\\", "\\\\").replaceAll("/", "\\/")}/${code}`;
}

/** What `referenceText` was made of. */
export function readReference(kind: Kind, text: string): Reference {
  if (kind.codeWithin === undefined) return { within: null, code: text };
  let within = "";
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    const next = text.charAt(at + 1);
    if (char === "\\" && (next === "/" || next === "\\")) {
      within += next;
      at++;
    } else if (char === "/") {
      return { within, code: text.slice(at + 1) };
    } else {
      within += char;
    }
  }
  return { within: null, code: text };
}

/** Several references in one cell. */
export const listCell = (references: readonly string[]): string =>
  references.map(escapedInList).join("; ");

/** A backslash is doubled only where it would be read as one that says something of what follows. */
const escapedInList = (text: string) =>
  text.replace(/\\(?=[\\;]|$)/g, "\\\\").replaceAll(";", "\\;");

/** What `listCell` was given; spaces around, and places where nothing stands, are tolerated. */
export function readListCell(cell: string): string[] {
  const items: string[] = [];
  let item = "";
  const end = () => {
    const trimmed = item.trim();
    if (trimmed !== "") items.push(trimmed);
    item = "";
  };
  for (let at = 0; at < cell.length; at++) {
    const char = cell.charAt(at);
    const next = cell.charAt(at + 1);
    if (char === "\\" && (next === ";" || next === "\\")) {
      item += next;
      at++;
    } else if (char === ";") {
      end();
    } else {
      item += char;
    }
  }
  end();
  return items;
}
