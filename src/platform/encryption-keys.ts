/** A key that other keys are wrapped with, as ENCRYPTION_KEYS gives it. */
export interface VersionedKey {
  /** 1 to 65 535, rising with every rotation. Stored with every record. */
  version: number;
  /** 32 bytes. */
  key: Buffer;
}

const KEY_BYTES = 32;

/**
 * Reads `v2:base64,v1:base64`, newest first.
 *
 * @throws with what is wrong, never with a part of a key
 */
export function parseEncryptionKeys(text: string): VersionedKey[] {
  const keys: VersionedKey[] = [];
  for (const [index, part] of text.split(",").entries()) {
    const entry = part.trim();
    const match = /^v([1-9]\d{0,4}):([A-Za-z0-9+/]+={0,2})$/.exec(entry);
    const version = Number(match?.[1]);
    if (match?.[2] === undefined || version > 65_535) {
      throw new Error(`has an entry ${index + 1} that is not of the form v1:base64`);
    }
    const key = Buffer.from(match[2], "base64");
    if (key.length !== KEY_BYTES || key.toString("base64") !== match[2]) {
      throw new Error(`has a key v${version} that is not ${KEY_BYTES} bytes in base64`);
    }
    for (const other of keys) {
      if (other.version === version) throw new Error(`names v${version} twice`);
      if (other.key.equals(key))
        throw new Error(`has the same key as v${other.version} and v${version}`);
    }
    if ((keys.at(-1)?.version ?? Number.POSITIVE_INFINITY) < version) {
      throw new Error("must begin with the newest version and fall from there");
    }
    keys.push({ version, key });
  }
  return keys;
}

/** The opposite of `parseEncryptionKeys`. */
export function formatEncryptionKeys(keys: readonly VersionedKey[]): string {
  return keys.map(({ version, key }) => `v${version}:${key.toString("base64")}`).join(",");
}
