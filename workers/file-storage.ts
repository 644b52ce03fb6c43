import path from "node:path";
import {
  createPartsKeeper,
  createVault,
  createVaultKeeper,
  type Vault,
} from "../src/evidence/index.ts";
import {
  type Config,
  type Database,
  type Keyring,
  type Logger,
  missingSetting,
  projectFile,
} from "../src/platform/index.ts";
import { openStorage, type Storage } from "../src/storage/index.ts";

/** Where files of evidence lie, opened by who needs it first. */
export interface FileStorage {
  /** Throws `ConfigError` where STORAGE_URL is not set. */
  storage(): Promise<Storage>;
  vault(): Promise<Vault>;
  /** For the processes that fetch files. */
  keeper(): Promise<ReturnType<typeof createVaultKeeper>>;
  /** For others that write there. */
  partsKeeper(): ReturnType<typeof createPartsKeeper>;
  close(): void;
}

interface FileStorageOptions {
  config: Config;
  db: Database;
  keyring: Keyring;
  log: Logger;
}

export function createFileStorage({ config, db, keyring, log }: FileStorageOptions): FileStorage {
  let opening: Promise<Storage> | undefined;
  let vault: Vault | undefined;
  let opened: Storage | undefined;

  async function open(): Promise<Storage> {
    if (config.storage === undefined) throw missingSetting("STORAGE_URL");
    opened = await openStorage(config.storage);
    return opened;
  }
  /** What failed is tried again. */
  const storage = () => {
    opening ??= open().catch((error) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  const partsFolder = partsFolderOf(config);
  return {
    storage,
    vault: async () => {
      vault ??= createVault({ db, keyring, storage: await storage(), partsFolder });
      return vault;
    },
    keeper: async () => createVaultKeeper({ db, storage: await storage(), partsFolder, log }),
    partsKeeper: () => createPartsKeeper({ db, partsFolder, log }),
    close: () => opened?.close(),
  };
}

/** On the store's own disk, where a finished file is put in place by its name alone; or beside us. */
function partsFolderOf({ storage }: Config): string {
  return storage?.kind === "local"
    ? path.join(storage.folder, ".parts")
    : projectFile(".heliograph", "parts");
}
