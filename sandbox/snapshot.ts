import { existsSync, readFileSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { TelegramUpdate } from "./telegram-objects.ts";
import type { Bot, BusinessConnection, Chat, Person, StoredFile, World } from "./world.ts";

/** All that outlives a run. */
export interface Snapshot {
  version: 1;
  /** False while running: what a crash leaves behind may be older than what was handed out. */
  clean: boolean;
  next: World["next"];
  people: Person[];
  bots: Bot[];
  chats: Chat[];
  files: StoredFile[];
  /** Absent in older files. */
  businessConnections?: BusinessConnection[];
  pending: { botId: number; update: TelegramUpdate; expiresAtMs: number }[];
}

/**
 * How far ids move on after a crash. More than can be handed out between two snapshots, so that no
 * id is ever given twice; Telegram's own ids have gaps too.
 */
const skipped = { updates: 1_000_000, messages: 100_000, things: 1_000 };

/** Reads a snapshot; undefined when there is none. @throws Error when the file is no snapshot */
export function readSnapshot(path: string): Snapshot | undefined {
  if (!existsSync(path)) return undefined;
  const snapshot = JSON.parse(readFileSync(path, "utf8"), reviveMaps) as Snapshot;
  if (snapshot.version !== 1)
    throw new Error(`sandbox: ${path} is not a state file of this version; move it away`);
  if (!snapshot.clean) skipAhead(snapshot);
  return snapshot;
}

function skipAhead(snapshot: Snapshot): void {
  for (const bot of snapshot.bots) {
    bot.nextUpdateId += skipped.updates;
    bot.nextMessageId += skipped.messages;
  }
  for (const chat of snapshot.chats) chat.nextMessageId += skipped.messages;
  const { next } = snapshot;
  next.user += skipped.things;
  next.bot += skipped.things;
  next.file += skipped.things;
  next.group -= skipped.things;
  next.channel -= skipped.things;
}

/** Writes by way of a second file, so that a crash leaves either the old state or the new. */
export async function writeSnapshot(path: string, snapshot: Snapshot): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(`${path}.part`, "w", 0o600);
  try {
    await handle.writeFile(JSON.stringify(snapshot, mapsToPairs));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.part`, path);
}

function mapsToPairs(_key: string, value: unknown): unknown {
  return value instanceof Map ? { $map: [...value] } : value;
}

function reviveMaps(_key: string, value: unknown): unknown {
  if (typeof value === "object" && value !== null && "$map" in value)
    return new Map(value.$map as [unknown, unknown][]);
  return value;
}

/**
 * Keeps the state file up to date: soon after a change, never two writes at once, and never so
 * often that writing becomes the work (a pause of ten times what the last write took).
 */
export class StateKeeper {
  readonly #path: string;
  readonly #take: (clean: boolean) => Snapshot;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #busy = false;
  #dirty = false;
  #pauseMs = 100;
  #closed = false;

  constructor(path: string, take: (clean: boolean) => Snapshot) {
    this.#path = path;
    this.#take = take;
  }

  changed(): void {
    this.#dirty = true;
    if (this.#timer !== undefined || this.#busy || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#write(false);
    }, this.#pauseMs);
    this.#timer.unref();
  }

  /** Writes now, marked as still running. @throws Error when the file cannot be written */
  async begin(): Promise<void> {
    await writeSnapshot(this.#path, this.#take(false));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await writeSnapshot(this.#path, this.#take(true));
  }

  async #write(clean: boolean): Promise<void> {
    this.#busy = true;
    this.#dirty = false;
    const startedMs = performance.now();
    try {
      await writeSnapshot(this.#path, this.#take(clean));
    } catch {
      // The disk may be full for a while: what is not written yet stays due.
      this.#dirty = true;
    }
    this.#pauseMs = Math.min(5_000, Math.max(100, 10 * (performance.now() - startedMs)));
    this.#busy = false;
    if (this.#dirty) this.changed();
  }
}
