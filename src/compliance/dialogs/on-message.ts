import type { ChatRequest, Reply } from "../../conversations/index.ts";
import { type EvidenceSettings, type NewFile, readSettings } from "../../evidence/index.ts";
import type { Transaction } from "../../platform/index.ts";
import type { Asker, Offered } from "../request-sink.ts";
import { may } from "../rights.ts";
import { type Advanced, advance } from "./advance.ts";
import { begin } from "./begin.ts";
import { type Dialog, newDialog, type Place } from "./dialog.ts";
import {
  awaitsWords,
  holdByAlbum,
  holdConversation,
  holdOpen,
  type OpenDialog,
} from "./dialog-rows.ts";
import type { Acting, Doing } from "./effects.ts";
import { actingOf, finish, inPlace, placeOf, servesEvidence, tell, whyMayNot } from "./in-chat.ts";
import { emptyCollection, evidenceCollection } from "./machine-evidence-collection.ts";
import { notAccepted, REFUSED, tooLarge } from "./words.ts";

type FileRequest = Extract<ChatRequest, { kind: "file" }>;
type TextRequest = Extract<ChatRequest, { kind: "text" }>;

/** Taken by every workspace. */
const ALWAYS: ReadonlySet<string> = new Set(["document", "photo", "live_photo"]);

/** Why a file is not taken, in words; null: it is. Pure. */
export function whyNotTaken(
  { contentKind, media }: Pick<FileRequest, "contentKind" | "media">,
  { kinds, maxBytes }: Pick<EvidenceSettings, "kinds" | "maxBytes">,
): string | null {
  const isAccepted = ALWAYS.has(contentKind) || kinds.includes(contentKind);
  if (!isAccepted || media === null) return notAccepted(contentKind);
  const isLarge = media.sizeBytes !== undefined && media.sizeBytes > maxBytes;
  return isLarge ? tooLarge(media.name ?? null, maxBytes) : null;
}

function fileOf(request: FileRequest): NewFile | undefined {
  const { contentKind: kind, media, connectorId, chatId, messageId, threadId } = request;
  if (media === null) return undefined;
  return {
    kind,
    name: media.name ?? null,
    claimedType: media.contentType ?? null,
    claimedBytes: media.sizeBytes ?? null,
    connectorId,
    chatId,
    messageId,
    threadId,
    mediaGroupId: request.mediaGroupId,
    telegramFileId: media.fileId,
    telegramUniqueId: media.fileUniqueId,
    sentAt: new Date(request.askedAtMs),
  };
}

/** A file in a chat that serves evidence: it goes to the dialog that waits for it, or begins one. */
export async function onFile(
  tx: Transaction,
  doing: Doing,
  request: FileRequest,
  asker: Asker,
): Promise<Offered> {
  if (!servesEvidence(request)) return left();
  if (!may(asker.viewer, "submit-evidence", asker.access)) {
    return left(tell(request, REFUSED.rights));
  }
  const refused = whyNotTaken(request, await readSettings(tx, request.workspaceId));
  if (refused !== null) return left(tell(request, refused));
  const place = placeOf(request);
  const acting = { ...actingOf(request, asker, doing.clock()), file: fileOf(request) };
  await holdConversation(tx, place);
  const open = await holdOpen(tx, place, acting);
  const { contentKind: kind, caption, mediaGroupId } = request;
  const event = { type: "file", kind, caption, mediaGroupId } as const;
  const dialog = await takerOf(tx, place, { mediaGroupId, open, acting });
  const advanced: Advanced[] =
    dialog === null
      ? await begin(tx, doing, { dialog: collecting(place, acting), event, open }, acting)
      : [await advance(tx, doing, inPlace(dialog, place), event, acting)];
  const replies = await finish(tx, request, advanced);
  return { replies, isTaken: advanced.some(({ hasTakenFile }) => hasTakenFile) };
}

/** It is for whoever gives support; `told`: why no dialog takes it. */
const left = (...told: Reply[]): Offered => ({ replies: told, isTaken: false });

/** Whatever takes the rest of its album; else what the person did last. Null: nothing waits for a file. */
async function takerOf(
  tx: Transaction,
  place: Place,
  {
    mediaGroupId,
    open,
    acting: { userId },
  }: { mediaGroupId: string | null; open: OpenDialog[]; acting: Acting },
): Promise<Dialog | null> {
  const collections = open
    .map(({ dialog }) => dialog)
    .filter(({ kind }) => kind === "evidence_collection");
  if (mediaGroupId !== null) {
    const its = collections.find((dialog) => dialog.mediaGroupId === mediaGroupId);
    const taker = its ?? (await holdByAlbum(tx, place, { userId, mediaGroupId }));
    if (taker !== null) return taker;
  }
  return collections[0] ?? null;
}

const collecting = (place: Place, { userId, nowMs }: Acting): Dialog =>
  newDialog(place, {
    machine: evidenceCollection,
    state: "choosing-type",
    data: emptyCollection(),
    userId,
    nowMs,
  });

/** Words where a question was asked. Those that answer none are left to whom they are for. */
export async function onText(
  tx: Transaction,
  doing: Doing,
  request: TextRequest,
  asker: Asker,
): Promise<Offered> {
  const place = placeOf(request);
  const acting = actingOf(request, asker, doing.clock());
  const { replyToMessageId, text } = request;
  await holdConversation(tx, place);
  const held = await holdOpen(tx, place, { userId: acting.userId, replyToMessageId });
  const asking = held.filter(({ dialog }) => awaitsWords(dialog));
  const repliedTo = asking.find(({ isRepliedTo }) => isRepliedTo);
  // In private they need not reply to anything; what replies to something else is about that.
  const isLoose = request.chatType === "private" && replyToMessageId === null;
  const asked = repliedTo ?? (isLoose ? asking[0] : undefined);
  if (asked === undefined) return left();
  const refused = whyMayNot(asked.dialog, acting.userId, asker);
  // Whoever may not go on with it any more does not answer it for as long as it stands.
  if (refused !== null) return asked.isRepliedTo ? left(tell(request, refused)) : left();
  const event = { type: "words", text } as const;
  const advanced = await advance(tx, doing, inPlace(asked.dialog, place), event, acting);
  return { replies: await finish(tx, request, [advanced]), isTaken: true };
}
