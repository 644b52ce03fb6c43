import type { Services } from "../src/api/index.ts";
import { createClamd, createPacks, createUploads, type Vault } from "../src/evidence/index.ts";
import type { System } from "./system.ts";

/** What the web process does with contents of evidence. The store is opened by the first who asks. */
export function openEvidence({
  db,
  keyring,
  files,
  config,
}: Pick<System, "db" | "keyring" | "files" | "config">): Services["evidence"] {
  const vault: Pick<Vault, "open" | "begin" | "touch" | "keep" | "abandon"> = {
    open: async (file) => (await files.vault()).open(file),
    begin: async (file) => (await files.vault()).begin(file),
    touch: async (storedFileId) => (await files.vault()).touch(storedFileId),
    keep: async (...kept) => (await files.vault()).keep(...kept),
    abandon: async (...given) => (await files.vault()).abandon(...given),
  };
  const scanner = config.scanner && createClamd(config.scanner);
  return {
    vault,
    uploads: createUploads({ db, vault, scanner }),
    packs: createPacks({ db, keyring, vault }),
  };
}
