import { createSeenUpdates } from "../src/connectors/index.ts";
import { linkedChats, moveChatLink } from "../src/conversations/index.ts";
import type { Transaction } from "../src/platform/index.ts";
import { createIntake, createLinkedChats, type Intake } from "../src/receiver/index.ts";
import type { System } from "./system.ts";

/** How a process takes updates in, whether they are sent to it or asked for. */
export function openIntake({ db, jobs, log }: Pick<System, "db" | "jobs" | "log">): {
  intake: Intake;
  /** Writes what is noted. */
  stop(): Promise<void>;
} {
  const seen = createSeenUpdates(db, log);
  const links = createLinkedChats<Transaction>({
    linked: (chats) => linkedChats(db, chats),
    move: async (tx, move) => void (await moveChatLink(tx, move)),
  });
  return { intake: createIntake({ db, links, seen, jobs }), stop: seen.stop };
}
