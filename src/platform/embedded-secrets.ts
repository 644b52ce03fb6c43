import { randomBytes } from "node:crypto";
import { chmod, readFile } from "node:fs/promises";
import path from "node:path";
import { writeWhole } from "./durable-file.ts";
import { formatEncryptionKeys, parseEncryptionKeys, type VersionedKey } from "./encryption-keys.ts";
import { randomToken } from "./secrets.ts";

export interface EmbeddedSecrets {
  encryptionKeys: VersionedKey[];
  adminToken: string;
  /** True the first time only: then it is to be shown to whoever started us. */
  adminTokenIsNew: boolean;
}

const KEYS_FILE = "encryption-keys";
const TOKEN_FILE = "admin-token";

/**
 * ENCRYPTION_KEYS and ADMIN_TOKEN of an embedded installation: made once and kept beside the data
 * they open, readable by their owner only. To be called by who holds the folder's lock.
 *
 * @throws when a file is there and holds something else: a key is never made anew over an old one
 */
export async function loadEmbeddedSecrets(dataFolder: string): Promise<EmbeddedSecrets> {
  const keysFile = path.join(dataFolder, KEYS_FILE);
  const tokenFile = path.join(dataFolder, TOKEN_FILE);
  const keys = await readOrMake(keysFile, () =>
    formatEncryptionKeys([{ version: 1, key: randomBytes(32) }]),
  );
  const token = await readOrMake(tokenFile, randomToken);
  if (!/^[\x21-\x7e]+$/.test(token.text)) {
    throw new Error(`${tokenFile} holds no token: restore it, or remove it for a new one`);
  }
  let encryptionKeys: VersionedKey[];
  try {
    encryptionKeys = parseEncryptionKeys(keys.text);
  } catch (error) {
    throw new Error(`${keysFile} ${(error as Error).message}: restore it, or no secret will open`);
  }
  return { encryptionKeys, adminToken: token.text, adminTokenIsNew: token.isNew };
}

async function readOrMake(
  file: string,
  make: () => string,
): Promise<{ text: string; isNew: boolean }> {
  try {
    const text = (await readFile(file, "utf8")).trim();
    await chmod(file, 0o600);
    return { text, isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const text = make();
  await writeWhole(file, `${text}\n`);
  return { text, isNew: true };
}
