import { renderConnection } from "../business.ts";
import { badRequest } from "../errors.ts";
import { remove } from "../post.ts";
import { type Method, objectParam } from "./call.ts";
import { connectionFor } from "./target.ts";

/** Methods for accounts that the bot looks after. */

export const getBusinessConnection: Method = (call) =>
  renderConnection(call.core, connectionFor(call));

/** All of one chat, or none. */
export const deleteBusinessMessages: Method = (call) => {
  const ids = objectParam<number[]>(call, "message_ids") ?? [];
  const connection = connectionFor(call);
  for (const chat of call.core.world.chats.values()) {
    if (chat.businessUserId !== connection.userId) continue;
    const messages = ids.flatMap((id) => chat.messages.get(id) ?? []);
    if (messages.length < ids.length || messages.length === 0) continue;
    remove(call.core, chat, ...messages);
    return true;
  }
  throw badRequest("message to delete not found");
};
