import { BotApiRefusal, badRequest, SandboxError } from "../errors.ts";
import type { FormattedText } from "../markup-html.ts";
import { storeFile } from "../people.ts";
import { readFileId } from "../render.ts";
import type { MessageEntity } from "../telegram-objects.ts";
import type { StoredFile } from "../world.ts";
import { type MethodCall, objectParam } from "./call.ts";
import { captionText } from "./format.ts";

/**
 * A file that a bot sends: a part of the same request, or a `file_id` of its own (Bot API: Sending
 * files). Links are refused: the sandbox fetches nothing.
 *
 * @throws BotApiRefusal 400, or 413 for an upload beyond the limit
 */
export async function inputFile(
  call: MethodCall,
  kind: "photo" | "document",
  value: string,
): Promise<StoredFile> {
  if (!value.startsWith("attach://")) return knownFile(call, value);
  const upload = call.files.get(value.slice("attach://".length));
  if (upload === undefined) throw badRequest(`there is no ${kind} in the request`);
  const limitBytes = kind === "photo" ? call.core.limits.photoBytes : call.core.limits.uploadBytes;
  if (upload.content.length > limitBytes)
    throw kind === "photo"
      ? badRequest("file is too big")
      : new BotApiRefusal(413, "Request Entity Too Large");
  if (upload.content.length === 0) throw badRequest("file must be non-empty");
  try {
    return await storeFile(
      call.core,
      { name: upload.fileName, contentType: upload.contentType, content: upload.content },
      kind,
    );
  } catch (error) {
    if (error instanceof SandboxError) throw badRequest("IMAGE_PROCESS_FAILED");
    throw error;
  }
}

/** What a bot's `file_id` stands for; another bot's is worth nothing. */
export function knownFile(call: MethodCall, fileId: string): StoredFile {
  const read = readFileId(fileId);
  const file = read === undefined ? undefined : call.core.fileIndex.get(read.key);
  if (file === undefined || read?.viewerId !== call.bot.id)
    throw badRequest("wrong file identifier/HTTP URL specified");
  return file;
}

interface MediaItem {
  type: string;
  media: string;
  caption?: string;
  parse_mode?: string;
  caption_entities?: MessageEntity[];
}

/** The items of an album (Bot API: sendMediaGroup): 2–10, and documents only among themselves. */
export async function inputMedia(
  call: MethodCall,
): Promise<{ kind: "photo" | "document"; file: StoredFile; formatted?: FormattedText }[]> {
  const items = objectParam<MediaItem[]>(call, "media") ?? [];
  if (items.length < 2 || items.length > 10)
    throw badRequest("media group must include 2-10 items");
  const unsupported = items.find(({ type }) => type !== "photo" && type !== "document");
  if (unsupported !== undefined)
    throw badRequest(`the sandbox does not simulate albums with ${unsupported.type}`);
  if (new Set(items.map(({ type }) => type)).size > 1)
    throw badRequest("document can't be mixed with other media types");
  const read = [];
  for (const item of items) {
    const kind: "photo" | "document" = item.type === "photo" ? "photo" : "document";
    const formatted = captionText(item.caption, item.parse_mode, item.caption_entities);
    const file = await inputFile(call, kind, item.media);
    read.push({ kind, file, ...(formatted !== undefined && { formatted }) });
  }
  return read;
}
