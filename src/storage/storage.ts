/**
 * Where files lie, by key. An object is there as a whole or not at all, and is never changed: to write
 * under a key that is taken replaces the whole object.
 */
export interface Storage {
  /** Stores a stream; answers its size. Nothing of it is to be found before all of it is safe. */
  put(key: string, content: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<Put>;
  /**
   * Stores a file of this machine as it is; answers its size. The file may be gone afterwards.
   * @throws when there is no such file
   */
  putPart(key: string, file: string, options?: PutOptions): Promise<Put>;
  /**
   * Bytes `from` up to and without `to`.
   * @throws StoredFileMissing, StoredFileRefused
   */
  read(key: string, from: number, to: number): Promise<AsyncIterable<Uint8Array>>;
  /** Null when there is none. Throws `StoredFileRefused`. */
  sizeBytes(key: string): Promise<number | null>;
  /** That there is none is no error. */
  remove(key: string): Promise<void>;
  /** Everything whose key begins so, in the order of the keys. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Lets go of what interrupted puts have left for longer than this; answers how many. */
  tidy(olderThanMs: number): Promise<number>;
  /** Connections that are kept open end. */
  close(): void;
}

export interface PutOptions {
  signal?: AbortSignal;
}

export interface Put {
  sizeBytes: number;
}

export interface StoredObject {
  key: string;
  sizeBytes: number;
  changedAt: Date;
}

/** There is no object under this key. */
export class StoredFileMissing extends Error {
  override name = "StoredFileMissing";

  constructor(key: string) {
    super(`no file is stored as ${key}`);
  }
}

/** There is an object, and this process may not read it, or cannot: `why` is the store's word for it. */
export class StoredFileRefused extends Error {
  override name = "StoredFileRefused";
  readonly why: string;

  constructor(key: string, why: string, options?: ErrorOptions) {
    super(`the file stored as ${key} cannot be read: ${why}`, options);
    this.why = why;
  }
}

const SEGMENT = /^[A-Za-z0-9_-]{1,100}$/;

/** A key's two parts: whose it is, and which. */
export interface KeyParts {
  group: string;
  name: string;
}

/**
 * Keys are ours, `<group>/<name>`, made of ids: anything else is a fault, and never reaches a path.
 *
 * @throws for what is no key
 */
export function partsOfKey(key: string): KeyParts {
  const parts = readKey(key);
  if (parts === null) throw new Error("not a key of a stored file");
  return parts;
}

function readKey(key: string): KeyParts | null {
  const [group = "", name = "", more] = key.split("/");
  return more === undefined && isSegment(group) && isSegment(name) ? { group, name } : null;
}

export const isKey = (text: string): boolean => readKey(text) !== null;

export const isSegment = (text: string): boolean => SEGMENT.test(text);
