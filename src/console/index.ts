/**
 * console: the pages that operators of the whole installation look at, under /console, behind
 * ADMIN_TOKEN. Queues, jobs, processes and bots, live by server-sent events, and BullMQ's own board
 * of the wakes, read-only. It shows ids and states: never what people wrote, nor who they are.
 */
export { type Console, type ConsoleOptions, createConsole } from "./console.ts";
