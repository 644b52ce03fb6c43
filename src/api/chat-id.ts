import { z } from "zod";

/**
 * One spelling a chat, since messages are kept in order by it: no leading zeros, no `-0`. Telegram
 * takes public names in any case.
 */
export const chatId = z.union([
  z
    .string()
    .regex(/^(-?[1-9][0-9]{0,15}|@[A-Za-z][A-Za-z0-9_]{3,63})$/, "a chat's id or @name")
    .toLowerCase(),
  z
    .number()
    .int()
    .refine((id) => id !== 0, "a chat's id is not 0")
    .transform(String),
]);
