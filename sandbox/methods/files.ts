import { extname } from "node:path";
import type { Core } from "../core.ts";
import { badRequest } from "../errors.ts";
import { readFileId } from "../render.ts";
import type { Bot, StoredFile } from "../world.ts";
import { type Method, stringParam } from "./call.ts";

/** A file link lives an hour (Bot API: getFile). */
const linkLifetimeMs = 60 * 60 * 1000;

/** Links given out: `<bot>/<path>` → until when. Expired ones go as new ones come. */
const links = new WeakMap<Core, Map<string, { file: StoredFile; untilMs: number }>>();

function linksOf(core: Core): Map<string, { file: StoredFile; untilMs: number }> {
  let map = links.get(core);
  if (map === undefined) {
    map = new Map();
    links.set(core, map);
  }
  return map;
}

export const getFile: Method = (call) => {
  const { core, bot } = call;
  const read = readFileId(stringParam(call, "file_id") ?? "");
  const file = read === undefined ? undefined : core.fileIndex.get(read.key);
  if (file === undefined) throw badRequest("invalid file_id");
  if (read?.viewerId !== bot.id)
    throw badRequest("wrong file_id or the file is temporarily unavailable");
  if (file.sizeBytes > core.limits.downloadBytes) throw badRequest("file is too big");
  if (core.isLocal)
    return {
      file_id: stringParam(call, "file_id"),
      file_unique_id: file.uniqueId,
      file_size: file.sizeBytes,
      file_path: core.files.pathOf(file.key),
    };
  const path = pathOf(file);
  const nowMs = core.clock.now();
  const known = linksOf(core);
  // Renewed links move to the end, so that the front is always the oldest.
  known.delete(`${bot.id}/${path}`);
  known.set(`${bot.id}/${path}`, { file, untilMs: nowMs + linkLifetimeMs });
  for (const [key, link] of known) {
    if (link.untilMs > nowMs) break;
    known.delete(key);
  }
  return {
    file_id: stringParam(call, "file_id"),
    file_unique_id: file.uniqueId,
    file_size: file.sizeBytes,
    file_path: path,
  };
};

function pathOf(file: StoredFile): string {
  const extensions: Record<string, string> = { "image/jpeg": ".jpg", "image/png": ".png" };
  const extension =
    (file.name === undefined ? extensions[file.contentType] : extname(file.name)) ?? "";
  const safe = /^\.[A-Za-z0-9]{1,10}$/.test(extension) ? extension : "";
  const photo = file.name === undefined && file.width !== undefined;
  return `${photo ? "photos" : "documents"}/file_${file.key}${safe}`;
}

/** What a link leads to; undefined when it was never given out, or too long ago. */
export function linkedFile(core: Core, bot: Bot, path: string): StoredFile | undefined {
  const link = linksOf(core).get(`${bot.id}/${path}`);
  return link !== undefined && link.untilMs > core.clock.now() ? link.file : undefined;
}
