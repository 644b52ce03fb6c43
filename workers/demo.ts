import { readFile, rename, writeFile } from "node:fs/promises";
import type { Sandbox } from "../sandbox/index.ts";
import { createWorkspace } from "../src/connectors/index.ts";
import { setChatLink } from "../src/conversations/index.ts";
import type { System } from "./system.ts";

/** What the demo made, kept beside the data so that a second start finds it again. */
export interface Demo {
  workspaceId: string;
  apiKey: string;
  connectorId: string;
  botUsername: string;
  userId: number;
  groupId: number;
}

async function readDemo(file: string): Promise<Demo | null> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Demo;
  } catch {
    return null;
  }
}

/** A workspace, a bot, two people, a private chat and a linked group in the sandbox. */
export async function setUpDemo(system: System, sandbox: Sandbox, file: string): Promise<Demo> {
  const known = await readDemo(file);
  if (known !== null && (await system.connectors.get(known.workspaceId, known.connectorId))) {
    return known;
  }
  // A start that was cut short may have left the first names behind in the sandbox.
  const suffix = Date.now().toString(36).slice(-5);
  const bot = sandbox.createBot({
    name: "Support",
    username: `support_${suffix}_bot`,
    canReadAllGroupMessages: true,
    inline: true,
  });
  const ada = sandbox.createUser({ firstName: "Ada", lastName: "Example" });
  const ben = sandbox.createUser({ firstName: "Ben" });
  const group = sandbox.createChat({
    type: "supergroup",
    title: "Compliance team",
    memberIds: [ada.id, ben.id, bot.id],
  });
  const { id: workspaceId, apiKey } = await createWorkspace(system.db, "Demo");
  const connector = await system.connectors.connect(workspaceId, {
    name: "Support bot",
    botToken: bot.token,
  });
  const chat = { workspaceId, connectorId: connector.id, chatId: String(group.id) };
  await system.db.transaction((tx) =>
    setChatLink(tx, { ...chat, linked: true, purpose: "compliance" }),
  );
  const demo: Demo = {
    workspaceId,
    apiKey,
    connectorId: connector.id,
    botUsername: bot.username,
    userId: ada.id,
    groupId: group.id,
  };
  await writeFile(`${file}.new`, JSON.stringify(demo), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return demo;
}
