import type { ChatRequest } from "../../conversations/index.ts";
import {
  type EvidenceSettings,
  linksFile,
  type NewFile,
  placeFile,
  type WrittenFile,
} from "../../evidence/index.ts";
import type { Texts } from "./texts.ts";
import { notAccepted, tooLarge } from "./words.ts";

/** What somebody hands in, as evidence takes it: files that are fetched, places and links that we write. Pure. */

export type FileRequest = Extract<ChatRequest, { kind: "file" }>;
export type TextRequest = Extract<ChatRequest, { kind: "text" }>;

/** Taken by every workspace. */
const ALWAYS: ReadonlySet<string> = new Set(["document", "photo", "live_photo"]);
const PLACE_KINDS: ReadonlySet<string> = new Set(["location", "venue"]);

/** Why a file or a place is not taken, in words; null: it is. */
export function whyNotTaken(
  texts: Texts,
  { contentKind, media, place }: Pick<FileRequest, "contentKind" | "media" | "place">,
  { kinds, maxBytes }: Pick<EvidenceSettings, "kinds" | "maxBytes">,
): string | null {
  const isPlace = PLACE_KINDS.has(contentKind);
  const isAccepted = ALWAYS.has(contentKind) || kinds.includes(isPlace ? "location" : contentKind);
  if (!isAccepted) return notAccepted(texts, contentKind);
  if (isPlace) return place === null ? texts.places.none : null;
  if (media === null) return notAccepted(texts, contentKind);
  const isLarge = media.sizeBytes !== undefined && media.sizeBytes > maxBytes;
  return isLarge ? tooLarge(texts, media.name ?? null, maxBytes) : null;
}

/** Of what is taken. */
export function fileOf(request: FileRequest): NewFile {
  const { contentKind: kind, media, place, mediaGroupId } = request;
  if (media === null) {
    if (place === null) throw new Error("a message without a file or a place is taken");
    return written(request, placeFile({ ...place, kind }, cameAs(request)));
  }
  return {
    kind,
    name: media.name ?? null,
    claimedType: media.contentType ?? null,
    claimedBytes: media.sizeBytes ?? null,
    ...cameAs(request),
    mediaGroupId,
    telegramFileId: media.fileId,
    telegramUniqueId: media.fileUniqueId,
  };
}

export const fileOfLinks = (request: TextRequest, links: readonly string[]): NewFile =>
  written(request, linksFile(links, cameAs(request)));

const written = (request: FileRequest | TextRequest, file: WrittenFile): NewFile => ({
  ...file,
  ...cameAs(request),
  mediaGroupId: null,
  telegramFileId: null,
  telegramUniqueId: null,
});

const cameAs = ({
  connectorId,
  chatId,
  messageId,
  threadId,
  askedAtMs,
}: FileRequest | TextRequest) => ({
  connectorId,
  chatId,
  messageId,
  threadId,
  sentAt: new Date(askedAtMs),
});
