/**
 * commands: `/compliance`, `/risk`, `/audit`, `/reports` and `/help`, the pages they show and the
 * buttons that turn them. Words are in `texts*.ts`, a file a language; pages are made of plain data by
 * pure functions; what they are made of is read in the room of the register. What is the register's is
 * said in private chats alone.
 */
export { message, overButton } from "./answer.ts";
export { parseArguments } from "./arguments.ts";
export { commandLists } from "./command-list.ts";
export { createCommandHandler } from "./commands.ts";
export { escaped } from "./html.ts";
export { LIST_DATA } from "./page-buttons.ts";
export { handleListPress } from "./presses.ts";
export { textsFor } from "./texts.ts";
export { usageOf } from "./usage.ts";
