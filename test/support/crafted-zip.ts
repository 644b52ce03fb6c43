import { open } from "node:fs/promises";

/**
 * Zip files byte by byte, right or wrong: what a program that writes them would not do. Files are stored
 * as they are, with their sizes behind them, as a pack's are.
 */
export interface CraftedFile {
  name: string;
  content?: Buffer;
  /** Instead of a content: so many zeros, which take no room on the disk. */
  holeBytes?: number;
  /** Its sizes stand in zip64's fields. */
  isLarge?: boolean;
  /** Of the directory's entry; default: a regular file's. */
  mode?: number;
  extra?: Buffer;
  /** Each changes what would be written. */
  local?: (header: Buffer) => void;
  central?: (header: Buffer) => void;
  behind?: (descriptor: Buffer) => void;
}

export interface CraftedZip {
  files: readonly CraftedFile[];
  /** In the directory, by their place; default: all of them, in order. */
  named?: readonly number[];
  /** Between the last file and the directory. */
  gap?: Buffer;
  /** Its end says zip64, whether it takes that or not. */
  isLarge?: boolean;
  end?: (end: Buffer) => void;
  end64?: (end: Buffer) => void;
  locator?: (locator: Buffer) => void;
  behind?: Buffer;
}

const IN_64 = 0xffff_ffff;

export async function writeCraftedZip(file: string, zip: CraftedZip): Promise<void> {
  const handle = await open(file, "w");
  let at = 0;
  let waiting: Buffer[] = [];
  const put = (...parts: Buffer[]) => {
    waiting.push(...parts);
    at += parts.reduce((sum, { length }) => sum + length, 0);
  };
  const flush = async () => {
    const all = Buffer.concat(waiting);
    waiting = [];
    await handle.write(all, 0, all.length, at - all.length);
  };
  const entries: Buffer[] = [];
  for (const one of zip.files) {
    const begins = at;
    const size = one.holeBytes ?? one.content?.length ?? 0;
    put(made(localOf(one), one.local));
    if (one.holeBytes === undefined) {
      put(one.content ?? Buffer.alloc(0));
    } else {
      await flush();
      at += one.holeBytes;
    }
    put(made(descriptorOf(one, size), one.behind));
    entries.push(made(centralOf(one, size, begins), one.central));
  }
  put(zip.gap ?? Buffer.alloc(0));
  const from = at;
  const named = zip.named ?? entries.map((_, n) => n);
  put(Buffer.concat(named.map((n) => entries[n] ?? Buffer.alloc(0))));
  const directory = { count: named.length, length: at - from, from };
  if (zip.isLarge) {
    const locator = locatorOf(at);
    put(made(end64Of(directory), zip.end64), made(locator, zip.locator));
  }
  put(made(endOf(directory, zip.isLarge ?? false), zip.end), zip.behind ?? Buffer.alloc(0));
  await flush();
  await handle.close();
}

function made(buffer: Buffer, change: ((buffer: Buffer) => void) | undefined): Buffer {
  change?.(buffer);
  return buffer;
}

/** Fields of so many bytes each, in order. */
function fields(...values: [bytes: 2 | 4 | 8, value: number][]): Buffer {
  const buffer = Buffer.alloc(values.reduce((sum, [bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [bytes, value] of values) {
    if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value), at);
    else buffer.writeUIntLE(value, at, bytes);
    at += bytes;
  }
  return buffer;
}

const FLAGS = 0x0808;

const localOf = ({ name }: CraftedFile) =>
  Buffer.concat([
    fields([4, 0x04034b50], [2, 20], [2, FLAGS], [2, 0], [4, 0], [4, 0], [4, 0], [4, 0]),
    fields([2, Buffer.byteLength(name)], [2, 0]),
    Buffer.from(name),
  ]);

const descriptorOf = ({ isLarge }: CraftedFile, size: number) => {
  const bytes = isLarge ? 8 : 4;
  return fields([4, 0x08074b50], [4, 0], [bytes, size], [bytes, size]);
};

function centralOf({ name, mode, isLarge, extra }: CraftedFile, size: number, from: number) {
  const large = isLarge
    ? fields([2, 1], [2, 24], [8, size], [8, size], [8, from])
    : Buffer.alloc(0);
  const more = Buffer.concat([large, extra ?? Buffer.alloc(0)]);
  const [said, place] = isLarge ? [IN_64, IN_64] : [size, from];
  return Buffer.concat([
    fields([4, 0x02014b50], [2, 0x033f], [2, 20], [2, FLAGS], [2, 0], [4, 0], [4, 0]),
    fields([4, said], [4, said], [2, Buffer.byteLength(name)], [2, more.length], [2, 0]),
    fields([2, 0], [2, 0], [4, (mode ?? 0o100644) * 0x10000], [4, place]),
    Buffer.from(name),
    more,
  ]);
}

interface Directory {
  count: number;
  length: number;
  from: number;
}

const end64Of = ({ count, length, from }: Directory) =>
  fields(
    ...([
      [4, 0x06064b50],
      [8, 44],
      [2, 0x033f],
      [2, 45],
      [4, 0],
      [4, 0],
      [8, count],
      [8, count],
      [8, length],
      [8, from],
    ] as [2 | 4 | 8, number][]),
  );

const locatorOf = (at: number) => fields([4, 0x07064b50], [4, 0], [8, at], [4, 1]);

const endOf = ({ count, length, from }: Directory, isLarge: boolean) =>
  isLarge
    ? fields([4, 0x06054b50], [4, 0], [2, 0xffff], [2, 0xffff], [4, IN_64], [4, IN_64], [2, 0])
    : fields([4, 0x06054b50], [4, 0], [2, count], [2, count], [4, length], [4, from], [2, 0]);
