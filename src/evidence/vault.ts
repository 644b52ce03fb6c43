import { randomBytes, randomUUID } from "node:crypto";
import { access } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { type Database, type Keyring, SealError, sqlState } from "../platform/index.ts";
import {
  FILE_KEY_BYTES,
  type FileSeal,
  openFile,
  openPartFile,
  type PartFile,
  partFolder,
  type ReadSealed,
  SealedFileError,
  type Storage,
  StoredFileMissing,
  sealedSizeBytes,
} from "../storage/index.ts";
import {
  dropDeleting,
  findStored,
  findWriting,
  giveUpUnlessStored,
  insertWriting,
  keyPlace,
  markStored,
  replaceDamaged,
  type StoredFile,
  type StoredFileKey,
  storageKey,
  takeKnown,
  touchWriting,
} from "./vault-rows.ts";

/**
 * Where content of evidence is: each content once a workspace, sealed with a key of its own. A row is
 * there before the object and after it, so that nothing is in the store of which the database does not
 * know, nor the other way round, for longer than a sweep (vault-sweep.ts), wherever a process dies.
 */
export interface Vault {
  /**
   * A place for the content of a file of evidence. After a crash on this machine it is found again,
   * with what it holds already; on another one it is a new one.
   * @throws PartInUse when another process is at it
   */
  begin(file: { workspaceId: string; fileId: string }): Promise<Begun>;
  /** Still at it: to be said at least every half an hour. False: it was given up, begin anew. */
  touch(storedFileId: string): Promise<boolean>;
  /**
   * Finishes the part and stores it, unless the workspace has this content already. Who asked refers
   * to the answered file within the hour. May be asked again when it failed.
   */
  keep(
    storedFileId: string,
    part: PartFile,
    what: { contentType: string | null; signal?: AbortSignal },
  ): Promise<Kept>;
  /** Nothing of it stays. */
  abandon(storedFileId: string, part: PartFile): Promise<void>;
  /**
   * The content of a stored file, bytes `from` up to and without `to`.
   * @throws UnknownStoredFile, StoredFileMissing, SealedFileError; RangeError
   */
  open(file: StoredFileKey & { from?: number; to?: number }): Promise<OpenedFile>;
}

export interface Begun {
  storedFileId: string;
  part: PartFile;
}

export interface Kept extends StoredFile {
  /** The workspace had it already. */
  isKnown: boolean;
}

export interface OpenedFile {
  /** Of the whole file. */
  sizeBytes: number;
  content: AsyncIterable<Buffer>;
}

/** The workspace has no such file, or not any more. */
export class UnknownStoredFile extends Error {
  override name = "UnknownStoredFile";
}

/** Given up by the sweep, since nobody touched it: begin anew. */
export class FileGivenUp extends Error {
  override name = "FileGivenUp";
}

export interface VaultOptions {
  /** Works as the engine. */
  db: Database;
  keyring: Keyring;
  storage: Storage;
  /** Where parts lie while they are written: on a disk of this machine, best that of the store. */
  partsFolder: string;
}

/** Two machines that share a folder do not see each other's locks: each has one of its own in it. */
export const ownPartsFolder = (partsFolder: string) =>
  path.join(partsFolder, hostname().replace(/[^A-Za-z0-9-]/g, "_") || "_");

export const sealOf = (keyring: Keyring, key: StoredFileKey, keySealed: Buffer): FileSeal => ({
  dataKey: keyring.open(keySealed, keyPlace(key)),
  place: storageKey(key),
});

const UNIQUE_VIOLATION = "23505";

export function createVault({ db, keyring, storage, partsFolder }: VaultOptions): Vault {
  const folder = ownPartsFolder(partsFolder);
  /** Whose the files are that are being written here. */
  const workspaces = new Map<string, string>();
  /** Parts that are in the store already: put there, a part may be gone from its folder. */
  const placed = new WeakSet<PartFile>();

  function keyOf(storedFileId: string): StoredFileKey {
    const workspaceId = workspaces.get(storedFileId);
    if (workspaceId === undefined) throw new Error("no such file is being written here");
    return { workspaceId, storedFileId };
  }

  async function openPart(key: StoredFileKey, keySealed: Buffer): Promise<Begun> {
    const { storedFileId } = key;
    const seal = sealOf(keyring, key, keySealed);
    const part = await openPartFile({ folder, name: storedFileId, seal });
    workspaces.set(storedFileId, key.workspaceId);
    return { storedFileId, part };
  }

  /** The part that an earlier try has left on this machine. */
  async function goOn(workspaceId: string, fileId: string): Promise<Begun | null> {
    for (const { id, key_sealed } of await findWriting(db, workspaceId, fileId)) {
      if (!(await exists(partFolder(folder, id)))) continue;
      const key = { workspaceId, storedFileId: id };
      const begun = await openLeft(key, key_sealed);
      if (begun === null) continue;
      const isAlive = await touchWriting(db, key).catch(async (error) => {
        // Or nobody else could have it.
        await begun.part.close().catch(() => {});
        throw error;
      });
      if (isAlive) return begun;
      await begun.part.discard();
    }
    return null;
  }

  /** Null: its key is gone from the ring, and with it what the part holds. */
  async function openLeft(key: StoredFileKey, keySealed: Buffer): Promise<Begun | null> {
    try {
      return await openPart(key, keySealed);
    } catch (error) {
      if (error instanceof SealError) return null;
      throw error;
    }
  }

  /** Its row says first that it goes, then its object goes, then the row. Never what is stored. */
  async function remove(key: StoredFileKey): Promise<void> {
    if (!(await giveUpUnlessStored(db, key))) return;
    await storage.remove(storageKey(key));
    await dropDeleting(db, key);
  }

  async function letGo(key: StoredFileKey, part: PartFile): Promise<void> {
    await part.discard();
    workspaces.delete(key.storedFileId);
    // What fails here the sweep does.
    await remove(key).catch(() => {});
  }

  /** Null: somebody else stored the same content in this moment. */
  async function store(key: StoredFileKey, what: Parameters<typeof markStored>[2]) {
    try {
      return await db.transaction(async (tx) => {
        const stored = await markStored(tx, key, what);
        if (stored === null) throw new FileGivenUp("the file was given up while it was written");
        await replaceDamaged(tx, key, what.sha256);
        return stored;
      });
    } catch (error) {
      if (sqlState(error) === UNIQUE_VIOLATION) return null;
      if (error instanceof FileGivenUp) await remove(key);
      throw error;
    }
  }

  async function stored(file: StoredFile, part: PartFile): Promise<Kept> {
    await part.discard();
    workspaces.delete(file.storedFileId);
    return { ...file, isKnown: false };
  }

  return {
    begin: async ({ workspaceId, fileId }) => {
      const left = await goOn(workspaceId, fileId);
      if (left !== null) return left;
      const key = { workspaceId, storedFileId: randomUUID() };
      const dataKey = randomBytes(FILE_KEY_BYTES);
      const keySealed = keyring.seal(dataKey, keyPlace(key));
      dataKey.fill(0);
      await insertWriting(db, key, fileId, keySealed);
      return openPart(key, keySealed).catch(async (error) => {
        // On a disk that is full for hours each try would leave a row.
        await remove(key).catch(() => {});
        throw error;
      });
    },
    touch: async (storedFileId) => touchWriting(db, keyOf(storedFileId)),
    keep: async (storedFileId, part, { contentType, signal }) => {
      const key = keyOf(storedFileId);
      const { sizeBytes, sha256 } = await part.finish();
      for (;;) {
        const known = await takeKnown(db, key.workspaceId, sha256);
        // Its own: the last try was committed, and could not be told so.
        if (known?.storedFileId === storedFileId) return stored(known, part);
        if (known !== null) {
          await letGo(key, part);
          return { ...known, isKnown: true };
        }
        if (!placed.has(part)) {
          // One that was given up meanwhile has no business in the store.
          if (!(await touchWriting(db, key))) {
            await letGo(key, part);
            throw new FileGivenUp("the file was given up before it was stored");
          }
          await storage.putPart(storageKey(key), part.file, { signal });
          placed.add(part);
        }
        const own = await store(key, { sha256, sizeBytes, contentType });
        if (own !== null) return stored(own, part);
      }
    },
    abandon: async (storedFileId, part) => letGo(keyOf(storedFileId), part),
    open: async ({ workspaceId, storedFileId, from = 0, to }) => {
      const key = { workspaceId, storedFileId };
      const row = await findStored(db, key);
      if (row === null)
        throw new UnknownStoredFile(`no file is stored with the id ${storedFileId}`);
      const { sizeBytes } = row;
      const end = to ?? sizeBytes;
      if (!(from >= 0 && from <= end && end <= sizeBytes)) {
        throw new RangeError("no such part of a file");
      }
      const seal = sealOf(keyring, key, row.keySealed);
      const sealedBytes = await storage.sizeBytes(storageKey(key));
      if (sealedBytes === null) throw new StoredFileMissing(storageKey(key));
      if (sealedBytes !== sealedSizeBytes(sizeBytes)) {
        throw new SealedFileError("the stored file has another size than it had");
      }
      const read: ReadSealed = (...range) => storage.read(storageKey(key), ...range);
      return { sizeBytes, content: openFile(read, seal, { sizeBytes, from, to: end }) };
    },
  };
}

async function exists(folder: string): Promise<boolean> {
  return access(folder).then(
    () => true,
    () => false,
  );
}
