import type { Core } from "./core.ts";
import { SandboxError } from "./errors.ts";
import type { Pin } from "./person-actions.ts";
import { memberChat, messageIn } from "./places.ts";
import { post } from "./post.ts";
import type { Chat } from "./world.ts";

/** Pinned messages. Pinning is told by a service message, taking a pin away by nothing. */

export function pinBy(core: Core, { from, messageId, pinned = true, ...place }: Pin): void {
  const chat = memberChat(core, place, from);
  const status = chat.members.get(from);
  if (chat.type !== "private" && status !== "creator" && status !== "administrator")
    throw new SandboxError(`user ${from} may not pin in chat ${chat.id}`);
  const { id } = messageIn(chat, messageId);
  if (pinned) pin(core, chat, id, from);
  else unpin(core, chat, id);
}

export function pin(core: Core, chat: Chat, messageId: number, byId: number): void {
  chat.pinned = [...(chat.pinned ?? []).filter((id) => id !== messageId), messageId];
  post(core, chat, {
    ...(chat.type !== "channel" && { from: byId }),
    service: { kind: "pinned", messageId },
  });
}

/** False when it was not pinned. Without an id the newest goes. */
export function unpin(core: Core, chat: Chat, messageId = chat.pinned?.at(-1)): boolean {
  const before = chat.pinned ?? [];
  chat.pinned = before.filter((id) => id !== messageId);
  core.changed();
  return chat.pinned.length < before.length;
}
