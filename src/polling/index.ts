/**
 * polling: the other way in, for an installation that Telegram cannot reach. Asks for the updates of
 * every connected bot, one request a bot across any number of processes, and commits them as the
 * receiver does before it confirms them. Which process asks for which bot is a lease on the bot's
 * row (`poll-lease.ts`); what follows from an answer is decided in `next-poll.ts`.
 */
export { MAX_BOTS, type Poller, type PollerOptions, startPoller } from "./poller.ts";
