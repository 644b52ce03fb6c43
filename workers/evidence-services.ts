import type { Services } from "../src/api/index.ts";
import {
  createClamd,
  createGiveOut,
  createPacks,
  createUploads,
  FileNotGiven,
  type Vault,
} from "../src/evidence/index.ts";
import { CannotSend, type EvidenceFiles } from "../src/outbound/index.ts";
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

/** What the outbound process sends of evidence. The store is opened by the first message that carries some. */
export function evidenceToSend({
  db,
  files,
  log,
}: Pick<System, "db" | "files" | "log">): EvidenceFiles {
  const vault: Pick<Vault, "open"> = { open: async (file) => (await files.vault()).open(file) };
  const giveOut = createGiveOut({ db, vault });
  return {
    open: async (asked) => {
      /** Throws it as what sends knows it; what nobody expected is in the log. */
      const told = (error: unknown): never => {
        if (error instanceof FileNotGiven) {
          throw new CannotSend(`evidence-file-${error.reason}`, error.message);
        }
        log.warn({ err: error, fileId: asked.fileId }, "a file of evidence could not be read");
        throw error;
      };
      const file = await giveOut(asked).catch(told);
      async function* content() {
        try {
          yield* file.content();
        } catch (error) {
          told(error);
        }
      }
      return { ...file, content };
    },
  };
}
