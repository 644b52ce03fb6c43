/**
 * Reads a zip file with nothing but Node (18 or newer), as evidence packs are written, and no other way:
 * files as they are, neither compressed nor encrypted, one behind the other from the first byte on, then
 * the directory, then its end (zip64 where it takes that), and nothing else anywhere. What stands twice
 * must say the same. So no program that opens the file finds another content in it than this one, and no
 * name leads out of the folder that it is unpacked into.
 *
 * PKWARE's APPNOTE.TXT 6.3.x: 4.3.7 local header, 4.3.9 data descriptor, 4.3.12 directory, 4.3.14 to
 * 4.3.16 its end, 4.5.3 zip64's sizes.
 */
import { open } from "node:fs/promises";

const LOCAL = { mark: 0x04034b50, bytes: 30 };
const CENTRAL = { mark: 0x02014b50, bytes: 46 };
const DESCRIPTOR = { mark: 0x08074b50, bytes: 16, bytes64: 24 };
const END = { mark: 0x06054b50, bytes: 22 };
const END_64 = { mark: 0x06064b50, bytes: 56 };
const LOCATOR = { mark: 0x07064b50, bytes: 20 };

/** Of a field whose value stands in zip64's. */
const IN_64 = 0xffff_ffff;
const COUNT_IN_64 = 0xffff;
const ZIP64_FIELD = 0x0001;
/** A file's time, to the second. */
const TIME_FIELD = 0x5455;
/** General purpose bits that may be set: sizes behind the content, names in UTF-8. */
const SIZES_BEHIND = 1 << 3;
const UTF_8 = 1 << 11;
const FILE_TYPE = 0o170000;
const REGULAR_FILE = 0o100000;

const READ_BYTES = 256 * 1024;
/** Of a pack's directory: it is held in memory. */
const MAX_DIRECTORY_BYTES = 64 * 2 ** 20;

const shown = (name) => JSON.stringify(name.slice(0, 200));
const broken = (what) => new Error(`the zip file is broken: ${what}`);
const u64 = (buffer, at) => Number(buffer.readBigUInt64LE(at));

/**
 * One part of a path, or several; none of them leads up, nor means something to a system. Windows leaves
 * out a dot at the end: it would put one file in the place of another.
 */
const isName = (name) =>
  name.split("/").every((part) => /^[A-Za-z0-9._-]*[A-Za-z0-9_-]$/.test(part));

/** Bytes of a file by their place; many small reads beside each other cost one. */
class Bytes {
  constructor(handle, size) {
    this.handle = handle;
    this.size = size;
    this.from = 0;
    this.window = Buffer.alloc(0);
  }

  async at(from, length) {
    if (from < 0 || from + length > this.size) throw broken("it is cut off");
    const end = this.from + this.window.length;
    if (from < this.from || from + length > end) {
      this.window = await this.read(from, Math.max(length, Math.min(READ_BYTES, this.size - from)));
      this.from = from;
    }
    return this.window.subarray(from - this.from, from - this.from + length);
  }

  async read(from, length) {
    const buffer = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length; ) {
      const read = await this.handle.read(buffer, filled, length - filled, from + filled);
      if (read.bytesRead === 0) throw broken("it became shorter");
      filled += read.bytesRead;
    }
    return buffer;
  }

  async *content(from, to) {
    for (let at = from; at < to; at += READ_BYTES) {
      yield await this.read(at, Math.min(READ_BYTES, to - at));
    }
  }
}

/** Where the directory lies, and how many files it names. */
async function readEnd(bytes) {
  const at = bytes.size - END.bytes;
  if (at < 0) throw broken("it is cut off, or is none");
  const end = await bytes.at(at, END.bytes);
  if (end.readUInt32LE(0) !== END.mark || end.readUInt16LE(20) !== 0) {
    throw broken("it does not end as one does: it is cut off, or something was added behind it");
  }
  const count = end.readUInt16LE(10);
  if (end.readUInt32LE(4) !== 0 || end.readUInt16LE(8) !== count) {
    throw broken("it is one of several parts");
  }
  const small = { count, length: end.readUInt32LE(12), from: end.readUInt32LE(16), until: at };
  const isLarge = count === COUNT_IN_64 || small.length === IN_64 || small.from === IN_64;
  return isLarge ? readEnd64(bytes, small) : small;
}

async function readEnd64(bytes, small) {
  const at = small.until - LOCATOR.bytes - END_64.bytes;
  const both = await bytes.at(at, END_64.bytes + LOCATOR.bytes);
  const locator = both.subarray(END_64.bytes);
  const isWhole =
    both.readUInt32LE(0) === END_64.mark &&
    u64(both, 4) === END_64.bytes - 12 &&
    u64(both, 16) === 0 &&
    u64(both, 24) === u64(both, 32) &&
    locator.readUInt32LE(0) === LOCATOR.mark &&
    locator.readUInt32LE(4) === 0 &&
    u64(locator, 8) === at &&
    locator.readUInt32LE(16) === 1;
  if (!isWhole) throw broken("its end is not that of a large one (zip64)");
  const large = { count: u64(both, 32), length: u64(both, 40), from: u64(both, 48), until: at };
  const agree = (name, most) => small[name] === most || small[name] === large[name];
  if (!agree("count", COUNT_IN_64) || !agree("length", IN_64) || !agree("from", IN_64)) {
    throw broken("its two ends say different things");
  }
  return large;
}

/** What the directory says of one file. */
function readCentral(directory, at) {
  if (at + CENTRAL.bytes > directory.length) throw broken("its directory is cut off");
  const head = directory.subarray(at, at + CENTRAL.bytes);
  if (head.readUInt32LE(0) !== CENTRAL.mark) throw broken("its directory is not one throughout");
  const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) =>
    head.readUInt16LE(field),
  );
  const end = at + CENTRAL.bytes + nameBytes + extraBytes;
  if (end > directory.length) throw broken("its directory is cut off");
  const name = directory.toString("latin1", at + CENTRAL.bytes, at + CENTRAL.bytes + nameBytes);
  if (!isName(name)) throw broken(`it has the name ${shown(name)}, which is none of a pack's`);
  if (commentBytes !== 0) throw broken(`${name} has a comment`);
  const flags = head.readUInt16LE(8);
  if (head.readUInt16LE(10) !== 0 || (flags & ~(SIZES_BEHIND | UTF_8)) !== 0) {
    throw broken(`${name} is compressed or encrypted`);
  }
  const type = (head.readUInt32LE(38) >>> 16) & FILE_TYPE;
  if (type !== REGULAR_FILE && type !== 0) throw broken(`${name} is no file`);
  if (head.readUInt16LE(34) !== 0) throw broken(`${name} lies in another part`);
  const extra = readExtra(name, directory.subarray(end - extraBytes, end));
  const [packed, size, from] = [20, 24, 42].map((field) => head.readUInt32LE(field));
  const large = in64(name, extra, { size, packed, from });
  if (large.size !== large.packed) throw broken(`${name} has two sizes`);
  return {
    name,
    flags,
    sum: head.readUInt32LE(16),
    size: large.size,
    from: large.from,
    isLarge: extra.has(ZIP64_FIELD),
    end,
  };
}

/** Fields beside the name: no other may say what the name, or the file, is. */
function readExtra(name, buffer) {
  const fields = new Map();
  for (let at = 0; at < buffer.length; ) {
    if (at + 4 > buffer.length) throw broken(`${name} has half a field`);
    const [id, length] = [buffer.readUInt16LE(at), buffer.readUInt16LE(at + 2)];
    at += 4;
    if (at + length > buffer.length) throw broken(`${name} has half a field`);
    if ((id !== ZIP64_FIELD && id !== TIME_FIELD) || fields.has(id)) {
      throw broken(`${name} has a field that is none of a pack's`);
    }
    fields.set(id, buffer.subarray(at, at + length));
    at += length;
  }
  return fields;
}

/** Those that did not fit stand in zip64's field, in this order, and nothing else does. */
function in64(name, extra, small) {
  const field = extra.get(ZIP64_FIELD) ?? Buffer.alloc(0);
  const large = { ...small };
  let at = 0;
  for (const key of ["size", "packed", "from"]) {
    if (small[key] !== IN_64) continue;
    if (at + 8 > field.length) throw broken(`${name} has no size`);
    large[key] = u64(field, at);
    at += 8;
  }
  if (at !== field.length) throw broken(`${name} has more sizes than it takes`);
  return large;
}

/** What stands at the file itself must be what the directory says. Answers where the next one begins. */
async function readLocal(bytes, file) {
  const { name, from, size, sum, flags, isLarge } = file;
  const lies = () => broken(`${name} is not what the directory says of it`);
  const length = LOCAL.bytes + name.length;
  const head = await bytes.at(from, length);
  const isBehind = (flags & SIZES_BEHIND) !== 0;
  const said = [14, 18, 22].map((field) => head.readUInt32LE(field));
  const small = isBehind ? [0, 0, 0] : [sum, size, size];
  const isSame =
    head.readUInt32LE(0) === LOCAL.mark &&
    head.readUInt16LE(6) === flags &&
    head.readUInt16LE(8) === 0 &&
    said.every((value, n) => value === small[n]) &&
    head.readUInt16LE(26) === name.length &&
    head.readUInt16LE(28) === 0 &&
    head.toString("latin1", LOCAL.bytes) === name;
  if (!isSame) throw lies();
  file.at = from + length;
  const end = file.at + size;
  if (!isBehind) return end;
  const behind = await bytes.at(end, isLarge ? DESCRIPTOR.bytes64 : DESCRIPTOR.bytes);
  const sizes = isLarge
    ? [u64(behind, 8), u64(behind, 16)]
    : [behind.readUInt32LE(8), behind.readUInt32LE(12)];
  const isRight =
    behind.readUInt32LE(0) === DESCRIPTOR.mark &&
    behind.readUInt32LE(4) === sum &&
    sizes.every((value) => value === size);
  if (!isRight) throw lies();
  return end + behind.length;
}

async function readFiles(bytes) {
  const end = await readEnd(bytes);
  if (end.from + end.length !== end.until) throw broken("its directory is not before its end");
  if (end.length > MAX_DIRECTORY_BYTES) throw broken("its directory is larger than any pack's");
  const directory = await bytes.read(end.from, end.length);
  const files = new Map();
  const folded = new Set();
  let at = 0;
  let next = 0;
  for (let n = 0; n < end.count; n++) {
    const file = readCentral(directory, at);
    at = file.end;
    // Some systems know no difference between large and small letters.
    if (folded.has(file.name.toLowerCase())) throw broken(`it has ${file.name} twice`);
    folded.add(file.name.toLowerCase());
    if (file.from !== next) throw broken(`${file.name} is not behind the file before it`);
    next = await readLocal(bytes, file);
    files.set(file.name, file);
  }
  if (at !== directory.length) throw broken("its directory has more than it says");
  if (next !== end.from) throw broken("its directory is not behind its last file");
  return files;
}

/**
 * Opens a zip file: the sizes of its files by their names, and their content. Throws an `Error` that names
 * the first thing that is wrong.
 */
export async function openZip(path) {
  const handle = await open(path, "r");
  try {
    const bytes = new Bytes(handle, (await handle.stat()).size);
    const files = await readFiles(bytes);
    return {
      sizes: new Map([...files].map(([name, { size }]) => [name, size])),
      read: (name) => {
        const { at, size } = files.get(name);
        return bytes.content(at, at + size);
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
