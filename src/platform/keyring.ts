import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { VersionedKey } from "./encryption-keys.ts";

/**
 * Secrets at rest, by envelope encryption: each record has a data key of its own, used once, which is
 * wrapped by the newest key of ENCRYPTION_KEYS. Both layers are AES-256-GCM and bound to the record's
 * place, so a sealed value that is copied to another row, column or tenant does not open.
 *
 *   1   format, 1
 *   2   version of the wrapping key, big-endian
 *   12  nonce of the wrapping      32  wrapped data key    16  its tag
 *   12  nonce of the content       n   content             16  its tag
 *
 * The wrapping's associated data holds the key's version, the content's does not: a rotation can
 * wrap the data key again without touching the content.
 */

/** Where a sealed value lives. */
export interface SealPlace {
  workspaceId: string;
  table: string;
  column: string;
  /** The row's key. */
  row: string;
}

export interface Keyring {
  seal(plaintext: string | Buffer, place: SealPlace): Buffer;
  /** @throws SealError when it was altered, belongs elsewhere, or its key is not in the ring */
  open(sealed: Uint8Array, place: SealPlace): Buffer;
  /**
   * The same content and the same data key, wrapped by the newest key; null when it is already.
   * @throws SealError as `open` does, but of a content that was altered
   */
  rewrap(sealed: Uint8Array, place: SealPlace): Buffer | null;
  /** The versions that can be opened. */
  readonly versions: readonly number[];
  /** The version that `seal` uses. */
  readonly currentVersion: number;
}

/** A sealed value that does not open. Names the place and the key's version, never content. */
export class SealError extends Error {
  override name = "SealError";
}

const FORMAT = 1;
const HEADER_BYTES = 3;
const NONCE_BYTES = 12;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const WRAP_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
/** How much longer a sealed value is than its content. */
export const SEAL_OVERHEAD_BYTES = HEADER_BYTES + WRAP_BYTES + NONCE_BYTES + TAG_BYTES;

/** A ring of at least one key, newest first. */
export function createKeyring(keys: readonly VersionedKey[]): Keyring {
  const [newest] = keys;
  if (newest === undefined) throw new Error("A keyring needs a key");
  const byVersion = new Map(keys.map(({ version, key }) => [version, key]));

  /** What is wrapped, and with which key. Throws where the outside tells that it will not open. */
  function read(value: Uint8Array, where: string) {
    const sealed = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const version = versionOf(sealed);
    if (version === null) {
      throw new SealError(`${where}: not a sealed value of a known format`);
    }
    const key = byVersion.get(version);
    if (key === undefined) {
      throw new SealError(`${where}: sealed with key v${version}, which is not in ENCRYPTION_KEYS`);
    }
    return {
      version,
      key,
      header: sealed.subarray(0, HEADER_BYTES),
      wrapped: sealed.subarray(HEADER_BYTES, HEADER_BYTES + WRAP_BYTES),
      content: sealed.subarray(HEADER_BYTES + WRAP_BYTES),
    };
  }

  const doesNotOpen = (where: string, version: number) =>
    new SealError(
      `${where}: does not open with key v${version}: altered, sealed for another place, or that key has been replaced`,
    );

  return {
    currentVersion: newest.version,
    versions: [...byVersion.keys()],
    seal: (plaintext, place) => {
      const header = headerOf(newest.version);
      const dataKey = randomBytes(KEY_BYTES);
      try {
        return Buffer.concat([
          header,
          encrypt(newest.key, dataKey, associated("key", header, place)),
          encrypt(
            dataKey,
            Buffer.from(plaintext as string),
            associated("content", contentHeader, place),
          ),
        ]);
      } finally {
        dataKey.fill(0);
      }
    },
    open: (value, place) => {
      const where = described(place);
      const { version, key, header, wrapped, content } = read(value, where);
      let dataKey: Buffer | undefined;
      try {
        dataKey = decrypt(key, wrapped, associated("key", header, place));
        return decrypt(dataKey, content, associated("content", contentHeader, place));
      } catch {
        throw doesNotOpen(where, version);
      } finally {
        dataKey?.fill(0);
      }
    },
    rewrap: (value, place) => {
      const where = described(place);
      const { version, key, header, wrapped, content } = read(value, where);
      if (version === newest.version) return null;
      const newHeader = headerOf(newest.version);
      let dataKey: Buffer | undefined;
      try {
        dataKey = decrypt(key, wrapped, associated("key", header, place));
        const rewrapped = encrypt(newest.key, dataKey, associated("key", newHeader, place));
        return Buffer.concat([newHeader, rewrapped, content]);
      } catch {
        throw doesNotOpen(where, version);
      } finally {
        dataKey?.fill(0);
      }
    },
  };
}

/** The version of the key that a value was sealed with; null when it is no sealed value. */
export function versionOf(sealed: Buffer): number | null {
  const isKnown = sealed.length >= SEAL_OVERHEAD_BYTES && sealed.readUInt8(0) === FORMAT;
  return isKnown ? sealed.readUInt16BE(1) : null;
}

function headerOf(version: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(FORMAT, 0);
  header.writeUInt16BE(version, 1);
  return header;
}

const described = (place: SealPlace) =>
  `${place.table}.${place.column} of row ${place.row}, workspace ${place.workspaceId}`;

const contentHeader = Buffer.of(FORMAT);

/** Each part behind its length, so that no two places read the same. */
function associated(layer: "key" | "content", header: Buffer, place: SealPlace): Buffer {
  const parts = [
    Buffer.from(`heliograph ${layer}`),
    header,
    ...[place.workspaceId, place.table, place.column, place.row].map((part) => Buffer.from(part)),
  ];
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

/** Nonce, ciphertext, tag. */
function encrypt(key: Buffer, plaintext: Buffer, aad: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, sealed: Buffer, aad: Buffer): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tag = sealed.subarray(sealed.length - TAG_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const content = sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES);
  return Buffer.concat([decipher.update(content), decipher.final()]);
}
