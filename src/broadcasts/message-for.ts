import type { NewMessage } from "../outbound/index.ts";
import type { BroadcastText } from "./create-broadcast.ts";

/** The message of one recipient of a broadcast. */
export function messageFor(
  {
    connector_id: connectorId,
    message,
    created_by: submittedBy,
  }: { connector_id: string; message: BroadcastText; created_by: string },
  { workspaceId, id, chatId }: { workspaceId: string; id: string; chatId: string },
): NewMessage {
  const { expiresAt, priority = "low", ...said } = message;
  const where = { workspaceId, connectorId, chatId, broadcastId: id };
  const ends = expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) };
  return { ...said, ...ends, ...where, priority, submittedBy, isAutomatic: true };
}
