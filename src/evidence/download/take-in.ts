import { type Database, isUnavailable, type Logger, sqlState } from "../../platform/index.ts";
import { type PartFile, PartInUse } from "../../storage/index.ts";
import type { Begun, Vault } from "../vault.ts";
import { TOUCH_MS, whileTouching } from "../while-touching.ts";
import { typeOfWritten } from "../written-files.ts";
import { contentTypeOf, headOf, isTaken } from "./content-type.ts";
import { DownloadFault, FAULTS } from "./fault.ts";
import { type DownloadRow, noteProgress, type StoredContent, takeKnownFile } from "./file-rows.ts";
import { Progress } from "./progress.ts";
import { checkSize, mayResume, receive } from "./receive.ts";
import { onRow } from "./row-source.ts";
import { type Scanner, ScannerAway } from "./scanner.ts";
import { type FoundFile, findFile, type OpenSource, type SourceOptions } from "./source.ts";

export interface TakeInOptions {
  db: Database;
  vault: Vault;
  source: SourceOptions;
  scanner: Scanner | null;
  log: Logger;
}

/** What a file turned out to be. */
export interface TakenIn {
  content: StoredContent;
  /** What the scanner found it to be; null: nothing. */
  finding: string | null;
  /** Bytes that came for it; 0 where it was here already. */
  fetchedBytes: number;
}

/** So much of it is progress, even where the attempt fails. */
const FURTHER_BYTES = 8 * 2 ** 20;

/**
 * Fetches a file into the store, in pieces that are never together in memory; goes on where an earlier
 * attempt on this machine was cut off. Nothing is stored that is not whole, not taken here, or unscanned
 * where there is a scanner. Throws `DownloadFault`, or what nobody expects.
 */
export async function takeIn(
  file: DownloadRow,
  options: TakeInOptions,
  signal: AbortSignal,
): Promise<TakenIn> {
  checkSize(file.claimedBytes === 0 ? null : file.claimedBytes, file.maxBytes);
  const known = await takeKnownFile(options.db, file);
  if (known !== null) {
    checkSize(known.sizeBytes, file.maxBytes);
    checkType(known.contentType, file);
    return { content: known, finding: null, fetchedBytes: 0 };
  }
  try {
    const found = await find(file, options.source, signal);
    checkSize(found.sizeBytes, file.maxBytes);
    return await new Taking(file, options, signal).take(found);
  } catch (error) {
    // Whatever was cut off by it: it is this process that stops.
    throw signal.aborted ? new DownloadFault("stopped") : error;
  }
}

/** On its row, where we wrote it ourselves; else at Telegram's. */
async function find(
  file: DownloadRow,
  options: SourceOptions,
  signal: AbortSignal,
): Promise<FoundFile> {
  const { written, telegramFileId } = file;
  if (written !== null) return onRow(written);
  if (telegramFileId === null) throw new DownloadFault("not-there", { detail: "no file_id" });
  return findFile({ ...file, telegramFileId }, options, signal);
}

function checkType(contentType: string, { contentTypes }: DownloadRow): void {
  if (isTaken(contentType, contentTypes)) return;
  throw new DownloadFault("type-not-taken", { about: contentType });
}

/** One attempt at one file. */
class Taking {
  private readonly file: DownloadRow;
  private readonly options: TakeInOptions;
  private readonly signal: AbortSignal;

  constructor(file: DownloadRow, options: TakeInOptions, signal: AbortSignal) {
    this.file = file;
    this.options = options;
    this.signal = signal;
  }

  async take(found: FoundFile): Promise<TakenIn> {
    const begun = await this.begin(found);
    const { part } = begun;
    const startedAt = part.sizeBytes;
    try {
      if (found.sizeBytes === null || part.sizeBytes < found.sizeBytes) {
        await this.fetch(found, begun);
      }
      const keeping = () => this.keep(begun);
      const taken = await whileTouching(this.options.vault, begun.storedFileId, keeping);
      return { ...taken, fetchedBytes: taken.content.sizeBytes - startedAt };
    } catch (error) {
      const freshBytes = part.sizeBytes - startedAt;
      // Of unknown size it is begun anew by the next attempt, which gets no further than this one.
      if (error instanceof DownloadFault && found.sizeBytes !== null) {
        error.gotFurther = freshBytes >= FURTHER_BYTES;
      }
      await this.leave(begun, error);
      throw error;
    }
  }

  /** What an earlier attempt has left, where that may be the beginning of this file. */
  private async begin(found: FoundFile): Promise<Begun> {
    const { vault } = this.options;
    const { workspaceId, id: fileId } = this.file;
    const begun = await this.stored(() => vault.begin({ workspaceId, fileId }));
    if (mayResume(begun.part.sizeBytes, found.sizeBytes, this.file)) return begun;
    await this.stored(() => vault.abandon(begun.storedFileId, begun.part));
    return this.stored(() => vault.begin({ workspaceId, fileId }));
  }

  private async fetch(found: FoundFile, begun: Begun): Promise<void> {
    const { part } = begun;
    const progress = new Progress({
      from: part.sizeBytes,
      write: this.writeProgress(found, begun),
    });
    const source = await this.open(found, part.sizeBytes);
    const sink = {
      get sizeBytes() {
        return part.sizeBytes;
      },
      append: (content: Uint8Array) => this.stored(() => part.append(content)),
    };
    const { maxBytes } = this.file;
    try {
      const { note } = progress;
      await receive(source, sink, { expectedBytes: found.sizeBytes, maxBytes, note });
    } finally {
      await source.close().finally(() => progress.settled());
    }
    progress.check();
    if (part.sizeBytes === 0) throw new DownloadFault("empty");
  }

  /** A link lives an hour: one that is not there any more is asked for once again. */
  private async open(found: FoundFile, from: number): Promise<OpenSource> {
    try {
      return await found.open(from, this.signal);
    } catch (error) {
      if (!(error instanceof DownloadFault) || error.kind !== "not-there") throw error;
      const again = await find(this.file, this.options.source, this.signal);
      if (again.sizeBytes !== found.sizeBytes) {
        throw new DownloadFault("changed", { detail: "another size when it was asked for again" });
      }
      return again.open(from, this.signal);
    }
  }

  /** On the file's row, for whoever looks; now and then the store is told, too, that somebody is at it. */
  private writeProgress({ sizeBytes: announcedBytes }: FoundFile, { storedFileId }: Begun) {
    const { db, vault } = this.options;
    let touchedMs = performance.now();
    return async (receivedBytes: number): Promise<void> => {
      const nowMs = performance.now();
      const isWanted = await noteProgress(db, this.file, { announcedBytes, receivedBytes });
      if (!isWanted) throw new DownloadFault("gone");
      if (nowMs - touchedMs < TOUCH_MS) return;
      touchedMs = nowMs;
      const isAlive = await this.stored(() => vault.touch(storedFileId));
      if (!isAlive) throw new DownloadFault("store-away", { detail: "given up meanwhile" });
    };
  }

  private async keep({ storedFileId, part }: Begun): Promise<Omit<TakenIn, "fetchedBytes">> {
    const { vault } = this.options;
    const { signal } = this;
    const contentType = await this.typeOf(part);
    const finding = await this.scan(part);
    const what = { contentType, signal };
    const kept = await this.stored(() => vault.keep(storedFileId, part, what));
    const { sizeBytes, sha256 } = kept;
    return {
      content: { storedFileId: kept.storedFileId, sizeBytes, sha256, contentType },
      finding,
    };
  }

  /** Of what we wrote ourselves it is known; there the workspace allows kinds, not types. */
  private async typeOf(part: PartFile): Promise<string> {
    const { kind, written } = this.file;
    if (written !== null) return typeOfWritten(kind);
    const contentType = await contentTypeOf(await this.stored(() => headOf(part.read())));
    checkType(contentType, this.file);
    return contentType;
  }

  /** Null: nothing was found, or nobody looks. */
  private async scan(part: PartFile): Promise<string | null> {
    const { scanner } = this.options;
    if (scanner === null) return null;
    try {
      const verdict = await scanner.scan(part.read(), this.signal);
      if (verdict.is === "unlooked") {
        throw new DownloadFault("scanner-refused", { detail: verdict.why });
      }
      return verdict.is === "infected" ? verdict.finding : null;
    } catch (error) {
      if (error instanceof ScannerAway) {
        throw new DownloadFault("scanner-away", { detail: error.message });
      }
      throw this.faultOfStore(error);
    }
  }

  /** What may be of use to the next attempt stays. Never fails: what is left the store sweeps away. */
  private async leave({ storedFileId, part }: Begun, error: unknown): Promise<void> {
    const { vault, log } = this.options;
    const isOver =
      error instanceof DownloadFault &&
      (error.kind === "changed" || !["wait", "retry", "few"].includes(FAULTS[error.kind].next));
    try {
      if (isOver || part.sizeBytes === 0) await vault.abandon(storedFileId, part);
      else await part.close();
    } catch (failure) {
      log.warn({ err: failure, fileId: this.file.id }, "a part could not be left in order");
    }
  }

  private async stored<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw this.faultOfStore(error);
    }
  }

  /** A store, or a disk, may be away or full for hours: the log is told, since somebody must act. */
  private faultOfStore(error: unknown): unknown {
    if (error instanceof DownloadFault || this.signal.aborted) return error;
    if (error instanceof PartInUse) return new DownloadFault("in-use");
    if (sqlState(error) !== undefined && !isUnavailable(error)) return error;
    const { code, name } = error as { code?: unknown; name?: unknown };
    const detail = String(typeof code === "string" ? code : name).slice(0, 60);
    const kind = detail === "ENOSPC" || detail === "EDQUOT" ? "disk-full" : "store-away";
    this.options.log.error(
      { err: error, fileId: this.file.id, fault: kind },
      "a file could not be stored",
    );
    return new DownloadFault(kind, { detail });
  }
}
