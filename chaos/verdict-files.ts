import { groupBy } from "../src/platform/index.ts";
import { type Attempt, isExplained } from "./verdict.ts";

/**
 * What must have become of files that people handed in, decided without I/O: each is stored once, as it
 * was sent, its sender was told once, and in the store lies what the rows say and nothing else.
 */

/** A file as a person sent it. */
export interface HandedIn {
  connectorId: string;
  chatId: string;
  messageId: number;
  /** In hex. */
  sha256: string;
  sizeBytes: number;
}

/** A row of `evidence_files`. */
export interface TakenFile {
  workspaceId: string;
  connectorId: string;
  chatId: string;
  messageId: number;
  state: string;
  error: string | null;
  sha256: string | null;
  sizeBytes: number | null;
  storedFileId: string | null;
}

/** A row of `stored_files`. */
export interface StoredFile {
  workspaceId: string;
  id: string;
  state: string;
  sha256: string | null;
}

/** What is left in the store once it was swept. */
export interface Store {
  rows: StoredFile[];
  /** Keys of objects: `<workspace>/<id>`. */
  objects: string[];
  /** Files beside the objects: parts, halves. */
  leftovers: string[];
}

/** A message that tells what became of files, by the hashes in it. */
export interface Telling {
  connectorId: string;
  chatId: string;
  sha256s: string[];
  state: string;
  onUnknown: "resend" | "hold";
  attempts: Attempt[];
  /** Under which Telegram is known to have it. */
  telegramIds: number[];
}

/** One that took effect at Telegram. */
export interface ArrivedTelling {
  connectorId: string;
  chatId: string;
  sha256s: string[];
  atMs: number;
  /** Telegram's. */
  messageId: number;
}

/** Hashes in hex that a message tells. */
export const hashesIn = (text: string): string[] =>
  [...text.matchAll(/^SHA-256: ([0-9a-f]{64})$/gm)].map(([, hash = ""]) => hash);

interface Judged {
  lost: string[];
  doubled: string[];
}

type OfMessage = Pick<HandedIn, "connectorId" | "chatId" | "messageId">;
const chatOf = ({ connectorId, chatId }: Pick<HandedIn, "connectorId" | "chatId">) =>
  `${connectorId}/${chatId}`;
const nameOf = (file: OfMessage) => `file ${chatOf(file)}/${file.messageId}`;
const keyOf = ({ workspaceId, id }: StoredFile) => `${workspaceId}/${id}`;

/** Each file is stored, once, and is what was sent. */
export function judgeFiles(
  handedIn: readonly HandedIn[],
  taken: readonly TakenFile[],
  stored: readonly StoredFile[],
): Judged {
  const lost: string[] = [];
  const doubled: string[] = [];
  const takenBy = groupBy(taken, nameOf);
  const storedBy = new Map(stored.map((row) => [keyOf(row), row]));
  for (const file of handedIn) {
    const name = nameOf(file);
    const rows = takenBy.get(name) ?? [];
    takenBy.delete(name);
    const [row] = rows;
    if (rows.length > 1) doubled.push(name);
    const wrong = row === undefined ? "was not taken" : faultOf(file, row, storedBy);
    if (wrong !== null) lost.push(`${name} ${wrong}`);
  }
  for (const name of takenBy.keys()) doubled.push(`${name}: nobody sent it`);
  const contents = groupBy(
    stored.filter(({ state }) => state === "stored"),
    ({ workspaceId, sha256 }) => `content ${workspaceId}/${sha256}`,
  );
  for (const [name, rows] of contents) if (rows.length > 1) doubled.push(name);
  return { lost, doubled };
}

function faultOf(
  file: HandedIn,
  row: TakenFile,
  storedBy: ReadonlyMap<string, StoredFile>,
): string | null {
  if (row.state !== "stored") return `is ${row.state}: ${row.error}`;
  if (row.sha256 !== file.sha256 || row.sizeBytes !== file.sizeBytes) return "is another content";
  const content = storedBy.get(`${row.workspaceId}/${row.storedFileId}`);
  if (content?.state !== "stored") return "refers to no content that is stored";
  return content.sha256 === file.sha256 ? null : "refers to another content";
}

/**
 * Whoever sent a file was told of it, with its hash, in one message that arrived once: more often only
 * where nobody knew whether it had, and it was to be sent again. `handedIn`: of a chat, each content once.
 */
export function judgeTellings(
  handedIn: readonly HandedIn[],
  tellings: readonly Telling[],
  arrived: readonly ArrivedTelling[],
): Judged {
  const lost: string[] = [];
  const doubled: string[] = [];
  const toldBy = byContent(tellings);
  const arrivedBy = byContent(arrived);
  for (const file of handedIn) {
    const name = `news of ${nameOf(file)}`;
    const key = `${chatOf(file)}/${file.sha256}`;
    const [telling, ...others] = toldBy.get(key) ?? [];
    const arrivals = arrivedBy.get(key) ?? [];
    arrivedBy.delete(key);
    if (telling === undefined) {
      lost.push(name);
      continue;
    }
    const times = arrivals.map(({ atMs }) => atMs);
    const mayBeTwice = telling.onUnknown === "resend" && isExplained(telling.attempts, times);
    if (others.length > 0 || (times.length > 1 && !mayBeTwice)) doubled.push(name);
    const isHeld = telling.state === "unknown" && telling.onUnknown === "hold";
    const isThere = arrivals.some(({ messageId }) => telling.telegramIds.includes(messageId));
    if (telling.state === "sent" ? !isThere : !isHeld) lost.push(name);
  }
  for (const key of arrivedBy.keys()) doubled.push(`news of ${key}: nobody sent that`);
  return { lost, doubled };
}

/** By the chat and each of the contents that it is about. */
function byContent<Item extends Pick<Telling, "connectorId" | "chatId" | "sha256s">>(
  items: readonly Item[],
): Map<string, Item[]> {
  const pairs = items.flatMap((item) => item.sha256s.map((sha256) => ({ item, sha256 })));
  const groups = groupBy(pairs, ({ item, sha256 }) => `${chatOf(item)}/${sha256}`);
  return new Map([...groups].map(([key, some]) => [key, some.map(({ item }) => item)]));
}

/** What is wrong with the store after a sweep: one line each. */
export function judgeStore(
  { rows, objects, leftovers }: Store,
  taken: readonly Pick<TakenFile, "workspaceId" | "storedFileId">[],
): string[] {
  const known = new Set(rows.map(keyOf));
  const there = new Set(objects);
  const referred = new Set(taken.map((file) => `${file.workspaceId}/${file.storedFileId}`));
  return [
    ...objects.filter((key) => !known.has(key)).map((key) => `object without a row: ${key}`),
    ...rows.flatMap((row) => {
      const key = keyOf(row);
      if (row.state !== "stored") return [`row that is still ${row.state}: ${key}`];
      if (!there.has(key)) return [`row without an object: ${key}`];
      return referred.has(key) ? [] : [`content that no file refers to: ${key}`];
    }),
    ...leftovers.map((file) => `left over: ${file}`),
  ];
}
