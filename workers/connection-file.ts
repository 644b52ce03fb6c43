import { isAlias, isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { newConnector } from "../src/api/index.ts";
import { nearestWord, shownSize } from "../src/platform/index.ts";

/**
 * A connection in YAML (docs/connectors.md) as what a connect takes. Whatever is wrong is told by line
 * and key, and never by value: the file holds a bot's token, and may hold it in the wrong place. So the
 * parser's own messages, which quote the file, are not shown.
 */

/** Far more than a connection needs. */
export const MAX_FILE_BYTES = 64 * 1_024;
const MAX_FAULTS = 5;

/** The file says something that cannot be taken; one line. */
export class ConnectionFileError extends Error {
  override name = "ConnectionFileError";
}

export interface Connection {
  given: z.output<typeof newConnector>;
  /** Keys that are used, each with what it becomes. */
  taken: Array<{ key: string; as: string }>;
  /** Keys that are not, and why. */
  ignored: Array<{ key: string; why: string }>;
  /** Where updates went so far, without path and parameters, which may be secret; null: not said. */
  webhookOrigin: string | null;
}

type Shape = "text" | "whole number" | "true or false" | "chat" | "chats by kind";

/** Every key there is, with what it holds, and what of a connect it is. */
const SECTIONS: Record<string, Record<string, { shape: Shape; as: string | null }>> = {
  telegram_config: {
    bot_token: { shape: "text", as: "botToken" },
    webhook_url: { shape: "text", as: null },
    default_chat_id: { shape: "chat", as: "defaultChatId" },
    notification_chats: { shape: "chats by kind", as: "notificationChats" },
    max_message_length: { shape: "whole number", as: "maxMessageLength" },
  },
  debug_config: {
    enabled: { shape: "true or false", as: null },
    log_level: { shape: "text", as: "debug.level" },
    api_timeout: { shape: "whole number", as: "debug.apiTimeout" },
    retry_attempts: { shape: "whole number", as: "debug.retryAttempts" },
    detailed_logging: { shape: "true or false", as: "debug.detailedLogs" },
  },
};

/** What the parser's codes mean, for whoever wrote the file. */
const MISTAKES: Record<string, string> = {
  BAD_INDENT: "is not indented like the lines around it",
  BAD_SCALAR_START: 'begins with a character that has to stand in quotes, e.g. "@name"',
  DUPLICATE_KEY: "has a key that is there already",
  MISSING_CHAR: "lacks a colon, a quote or a bracket",
  MULTIPLE_DOCS: "begins a second document: a file holds one connection",
  TAB_AS_INDENT: "is indented with a tab: YAML wants spaces",
};

/** Reads a file's bytes; `name` is the connector's. Throws `ConnectionFileError`. */
export function readConnection(bytes: Uint8Array, name: string): Connection {
  return new ConnectionReader(textOf(bytes)).read(name);
}

function textOf(bytes: Uint8Array): string {
  if (bytes.byteLength > MAX_FILE_BYTES) {
    const limit = shownSize(MAX_FILE_BYTES);
    throw new ConnectionFileError(`the file is larger than ${limit}: it holds no connection`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConnectionFileError("the file is not UTF-8 text: save it as UTF-8");
  }
}

interface Entry {
  /** With its section, e.g. `debug_config.enabled`. */
  key: string;
  as: string | null;
  value: unknown;
  line: number;
}

class ConnectionReader {
  private readonly lines = new LineCounter();
  private readonly faults: string[] = [];
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  read(name: string): Connection {
    const root = this.parse();
    const entries = this.entriesOf(root);
    if (!entries.some(({ key }) => key === "telegram_config.bot_token")) {
      this.fault(null, "telegram_config.bot_token", "is missing");
    }
    this.throwFaults();

    const said = (key: string) => entries.find((entry) => entry.key === key)?.value;
    const debugging = said("debug_config.enabled") === true;
    const ignored = entries.flatMap(({ key, as }) =>
      key.startsWith("debug_config.") && !debugging && as !== null
        ? [{ key, why: "debug_config.enabled is not true" }]
        : [],
    );
    const used = entries.filter(
      ({ key, as }) => as !== null && !ignored.some((one) => one.key === key),
    );
    const given = this.check(
      { name, ...givenOf(used), ...(debugging ? debugOf(used) : {}) },
      entries,
    );
    return {
      given,
      taken: used.map(({ key, as }) => ({ key, as: as ?? "" })),
      ignored,
      webhookOrigin: this.originOf(
        entries.find(({ key }) => key === "telegram_config.webhook_url"),
      ),
    };
  }

  private parse(): unknown {
    let document: ReturnType<typeof parseDocument>;
    try {
      const options = { prettyErrors: false, lineCounter: this.lines, logLevel: "error" } as const;
      document = parseDocument(this.text, options);
    } catch {
      throw new ConnectionFileError("the file is nested deeper than any connection");
    }
    for (const { code, pos } of [...document.errors, ...document.warnings]) {
      this.fault(this.lineAt(pos[0]), null, MISTAKES[code] ?? "is not YAML");
    }
    this.throwFaults();
    return document.contents;
  }

  private entriesOf(root: unknown): Entry[] {
    const sections = this.pairsOf(root, null, Object.keys(SECTIONS));
    return sections.flatMap(({ key: section, value }) => {
      const keys = SECTIONS[section] ?? {};
      return this.pairsOf(value, section, Object.keys(keys)).flatMap(
        ({ key, value: node, line }) => {
          const known = keys[key];
          const path = `${section}.${key}`;
          if (known === undefined) return [];
          const read = this.valueOf(node, known.shape, path, line);
          return read === undefined ? [] : [{ key: path, as: known.as, value: read, line }];
        },
      );
    });
  }

  /** The pairs of a map; `known`: its keys, null for any. What is no map is a fault. */
  private pairsOf(
    node: unknown,
    path: string | null,
    known: readonly string[] | null,
  ): Array<{ key: string; value: unknown; line: number }> {
    const line = this.lineOf(node);
    if (isAlias(node)) {
      this.fault(line, path, "is an alias (*): write out what is meant");
      return [];
    }
    if (!isMap(node)) {
      const keys = known === null ? "" : `: ${known.join(", ")}`;
      this.fault(line, path, `has to hold keys with values${keys}`);
      return [];
    }
    return node.items.flatMap(({ key: keyNode, value }) => {
      const key = isScalar(keyNode) ? String(keyNode.value) : "";
      const keyLine = this.lineOf(keyNode) ?? line ?? 1;
      if (known === null || known.includes(key)) return [{ key, value, line: keyLine }];
      const nearest = nearestWord(key, known);
      const hint = nearest === undefined ? `known are ${known.join(", ")}` : `is ${nearest} meant?`;
      const place = path === null ? "" : ` of ${path}`;
      this.fault(keyLine, null, `has a key${place} that is not known${quotedKey(key)}: ${hint}`);
      return [];
    });
  }

  /** Undefined where it is a fault, or where nothing is said. */
  private valueOf(node: unknown, shape: Shape, path: string, line: number): unknown {
    if (shape === "chats by kind") {
      const chats = this.pairsOf(node, path, null).map(({ key, value, line: at }) => [
        key,
        this.valueOf(value, "chat", `${path}.${isWord(key) ? key : "…"}`, at),
      ]);
      return Object.fromEntries(chats);
    }
    if (isAlias(node)) {
      this.fault(line, path, "is an alias (*): write out what is meant");
      return undefined;
    }
    const value = isScalar(node) ? node.value : undefined;
    if (shape === "chat" && typeof value === "number" && Number.isSafeInteger(value)) {
      return String(value);
    }
    const fits =
      shape === "true or false"
        ? typeof value === "boolean"
        : shape === "whole number"
          ? Number.isSafeInteger(value)
          : typeof value === "string";
    if (fits) return value;
    const wanted =
      shape === "chat" ? `a chat's id or "@name", in quotes` : `${article(shape)}${shape}`;
    this.fault(line, path, `has to be ${wanted}`);
    return undefined;
  }

  /** By the rules of the API's own call. */
  private check(given: object, entries: readonly Entry[]): Connection["given"] {
    const checked = newConnector.safeParse(given);
    if (checked.success) return checked.data;
    for (const { path, message } of checked.error.issues) {
      const names = path.map(String);
      const entry = entries.find(
        ({ as }) => as === names.slice(0, as?.split(".").length).join("."),
      );
      const inside = names.length > 1 && entry?.as === names[0] ? names[1] : undefined;
      const place = inside !== undefined && isWord(inside) ? `.${inside}` : "";
      this.fault(entry?.line ?? null, `${entry?.key ?? names.join(".")}${place}`, `: ${message}`);
    }
    this.throwFaults();
    throw new ConnectionFileError("the file is not what a connect takes");
  }

  private originOf(entry: Entry | undefined): string | null {
    if (entry === undefined) return null;
    const url = URL.canParse(String(entry.value)) ? new URL(String(entry.value)) : null;
    if (url?.protocol === "https:" || url?.protocol === "http:") return url.origin;
    this.fault(entry.line, entry.key, "has to be an https address");
    this.throwFaults();
    return null;
  }

  private lineAt(offset: number): number {
    return Math.max(1, this.lines.linePos(offset).line);
  }

  private lineOf(node: unknown): number | null {
    const range = (node as Partial<Node> | null)?.range;
    return range ? this.lineAt(range[0]) : null;
  }

  private fault(line: number | null, key: string | null, what: string): void {
    const where = [line === null ? "" : `line ${line}`, key ?? ""].filter((part) => part !== "");
    this.faults.push(`${where.join(", ") || "the file"}${what.startsWith(":") ? "" : " "}${what}`);
  }

  private throwFaults(): void {
    if (this.faults.length === 0) return;
    const more = this.faults.length - MAX_FAULTS;
    const rest = more > 0 ? `; and ${more} more` : "";
    throw new ConnectionFileError(this.faults.slice(0, MAX_FAULTS).join("; ") + rest);
  }
}

const givenOf = (used: readonly Entry[]) =>
  Object.fromEntries(used.flatMap(({ as, value }) => (as?.includes(".") ? [] : [[as, value]])));

const debugOf = (used: readonly Entry[]) => ({
  debug: Object.fromEntries(
    used.flatMap(({ as, value }) => (as?.startsWith("debug.") ? [[as.slice(6), value]] : [])),
  ),
});

/** What cannot be a token, nor a part of one, may be quoted. */
const isWord = (text: string) => /^[a-z][a-z_]{0,29}$/.test(text);
const quotedKey = (key: string) => (isWord(key) ? ` (${key})` : "");
const article = (shape: Shape) => (shape === "whole number" ? "a " : "");
