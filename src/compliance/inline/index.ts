/**
 * inline: what somebody finds of the register while they type behind the bot's name, in whatever chat:
 * `@bot risk ransomware`. Nothing of it is kept beyond the answer.
 */
export { createInlineQueryHandler } from "./answer-query.ts";
