import type { Reply } from "../../conversations/index.ts";
import { readSettings } from "../../evidence/index.ts";
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
import {
  type FileRequest,
  fileOf,
  fileOfLinks,
  type TextRequest,
  whyNotTaken,
} from "./handed-in.ts";
import {
  actingOf,
  finish,
  inPlace,
  placeOf,
  servesEvidence,
  tell,
  textsOf,
  whyMayNot,
} from "./in-chat.ts";
import { findLinks } from "./links.ts";
import { emptyCollection, evidenceCollection } from "./machine-evidence-collection.ts";

/** A file or a place in a chat that serves evidence: it goes to the dialog that waits for it, or begins one. */
export async function onFile(
  tx: Transaction,
  doing: Doing,
  request: FileRequest,
  asker: Asker,
): Promise<Offered> {
  if (!servesEvidence(request)) return left();
  const texts = textsOf(request);
  if (!may(asker.viewer, "submit-evidence", asker.access)) {
    return left(tell(request, texts.refused.rights));
  }
  const refused = whyNotTaken(texts, request, await readSettings(tx, request.workspaceId));
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
  const offered = await handedIn(tx, request, advanced);
  const isLive = request.place !== null && request.place.liveS !== null;
  if (!isLive) return offered;
  return { ...offered, replies: [...offered.replies, tell(request, texts.places.live)] };
}

/** It is for whoever gives support; `told`: why no dialog takes it. */
const left = (...told: Reply[]): Offered => ({ replies: told, isTaken: false });

/** What came of a file, or of what became one. */
async function handedIn(
  tx: Transaction,
  request: FileRequest | TextRequest,
  advanced: readonly Advanced[],
): Promise<Offered> {
  const replies = await finish(tx, request, advanced);
  return { replies, isTaken: advanced.some(({ hasTakenFile }) => hasTakenFile) };
}

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

const collecting = (place: Place, { userId, language, nowMs }: Acting): Dialog =>
  newDialog(place, {
    machine: evidenceCollection,
    state: "choosing-type",
    data: emptyCollection(),
    userId,
    language,
    nowMs,
  });

/**
 * Words where a question was asked, or links where a file was asked for. Those that answer none are left to
 * whom they are for.
 */
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
  const refused = whyMayNot(asked.dialog, request, asker);
  // Whoever may not go on with it any more does not answer it for as long as it stands.
  if (refused !== null) return asked.isRepliedTo ? left(tell(request, refused)) : left();
  const dialog = inPlace(asked.dialog, place);
  const found = await linksFor(tx, dialog, request);
  if (found === null) {
    const event = { type: "words", text } as const;
    const advanced = await advance(tx, doing, dialog, event, acting);
    return { replies: await finish(tx, request, [advanced]), isTaken: true };
  }
  if (!servesEvidence(request)) return left();
  if ("fault" in found) return left(tell(request, textsOf(request).linksRefused[found.fault]));
  const event = { type: "file", kind: "link", caption: null, mediaGroupId: null } as const;
  const handingIn = { ...acting, file: fileOfLinks(request, found.links) };
  return handedIn(tx, request, [await advance(tx, doing, dialog, event, handingIn)]);
}

/**
 * Only where a card asks for a file, and of workspaces that take links: elsewhere an address is what somebody
 * looks for, or says. Null: it is words.
 */
async function linksFor(
  tx: Transaction,
  { kind, state, workspaceId }: Dialog,
  { text, entities }: TextRequest,
): Promise<ReturnType<typeof findLinks>> {
  if (kind !== "evidence_collection" || state !== "awaiting-file") return null;
  const found = findLinks(text, entities);
  if (found === null) return null;
  const { kinds } = await readSettings(tx, workspaceId);
  return kinds.includes("link") ? found : null;
}
