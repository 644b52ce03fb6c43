/**
 * What is in an evidence pack, be it the zip file or the folder that it was unpacked into: names, sizes
 * and content.
 */
import { createReadStream } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { openZip } from "./read-zip.mjs";

/** Of what is read into memory as a whole. */
const MAX_TEXT_BYTES = 256 * 2 ** 20;
const MAX_LINE_CHARS = 16 * 2 ** 20;

/** `{ sizes, read, close }`: sizes by name, a file's content. Throws an `Error` for what is no pack. */
export async function openContents(place) {
  return (await stat(place)).isDirectory() ? openFolder(place) : openZip(place);
}

async function openFolder(folder) {
  const sizes = new Map();
  for (const name of await filesIn(folder)) {
    sizes.set(name, (await lstat(path.join(folder, name))).size);
  }
  return { sizes, read: (name) => createReadStream(path.join(folder, name)), close: () => {} };
}

/** Everything in the folder that is a file, by its path from there. Anything else is too much. */
async function filesIn(folder, inside = "") {
  const found = [];
  const entries = await readdir(path.join(folder, inside), { withFileTypes: true });
  if (entries.length === 0) throw new Error(`${inside || "the folder"} is empty`);
  for (const entry of entries) {
    const name = inside === "" ? entry.name : `${inside}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await filesIn(folder, name)));
    else if (entry.isFile()) found.push(name);
    else throw new Error(`${name} is neither a file nor a folder`);
  }
  return found;
}

/** A file as a whole. */
export async function readWhole({ sizes, read }, name) {
  if (sizes.get(name) > MAX_TEXT_BYTES) throw new Error(`${name} is larger than any pack's`);
  const parts = [];
  for await (const part of read(name)) parts.push(part);
  return Buffer.concat(parts);
}

/** A file's lines, one after the other. */
export async function* readLines({ read }, name) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let rest = "";
  for await (const part of read(name)) {
    const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
    rest = lines.pop();
    yield* lines;
    if (rest.length > MAX_LINE_CHARS) throw new Error(`${name} has a line longer than any entry`);
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
