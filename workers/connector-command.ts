import type { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { BOT_TOKEN_SHAPE, listDirectory, workspaceOfConnector } from "../src/connectors/index.ts";
import { Problem } from "../src/platform/index.ts";
import { importedConnection } from "./import-command.ts";
import type { Print } from "./jobs-command.ts";
import { publicUrlOf, type System } from "./system.ts";

/**
 * `heliograph connector …`, for the operator. A token is never an argument: every user of the machine
 * can read those of a running process. It comes in BOT_TOKEN, or on standard input.
 */
const OPTIONS = {
  workspace: { type: "string" },
  name: { type: "string" },
  description: { type: "string" },
  "dry-run": { type: "boolean" },
} as const;

export const CONNECTOR_USAGE = `connector takes:
  connector add --workspace ID --name NAME [--description TEXT]   the token on standard input
  connector import FILE --workspace ID --name NAME [--dry-run]    a connection in YAML, with its token
  connector list
  connector rotate ID                                             the new token on standard input
  connector test ID                                               asks Telegram, step by step
  connector remove ID
A token is read from standard input, from BOT_TOKEN or from the file, never from the command line`;

const UUID_SHAPE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const MAX_LISTED = 10_000;
/** A token has about 46 characters: whatever is longer is none, and is not read to its end. */
const MAX_TOKEN_INPUT = 1_000;

export interface ConnectorCommandInput {
  stdin: Readable & { isTTY?: boolean };
}

/** Runs `connector …`. Throws an `Error` in one line for what cannot be done. */
export async function connectorCommand(
  system: System,
  args: string[],
  print: Print,
  { stdin }: ConnectorCommandInput = { stdin: process.stdin },
): Promise<void> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const [action, id, ...rest] = positionals;
  const beside = action === "add" || action === "list" ? [id, ...rest] : rest;
  const [unexpected] = beside.filter((one) => one !== undefined);
  if (unexpected !== undefined) throw new Error(tooMuch(unexpected));
  const options = action === "add" ? ["description"] : action === "import" ? ["dry-run"] : null;
  const taken = options === null ? [] : ["workspace", "name", ...options];
  const strange = Object.keys(values).find((option) => !taken.includes(option));
  if (strange !== undefined) {
    const what = options === null ? "no options" : `no --${strange}`;
    throw new Error(`connector ${action ?? ""} takes ${what}`);
  }
  const token = () => readToken(system.config.botToken, stdin);
  const { connectors, db } = system;
  switch (action) {
    case "add": {
      const { workspace, name } = ownerAndName("add", values);
      const { description } = values;
      const given = { name, description, botToken: await token() };
      return print(await told(connectors.connect(workspace, given)));
    }
    case "import": {
      const { workspace, name } = ownerAndName("import", values);
      if (id === undefined) throw new Error("connector import needs a file");
      const publicUrl = publicUrlOf(system.config);
      const given = await importedConnection(id, { name, publicUrl, print });
      if (values["dry-run"]) return print("nothing was connected: this was a dry run");
      return print(await told(connectors.connect(workspace, given)));
    }
    case "list": {
      for (const entry of await listDirectory(db, MAX_LISTED)) {
        const trouble = entry.statusDetail === null ? "" : `  ${entry.statusDetail}`;
        const workspace = `${entry.workspaceName} (${entry.workspaceId})`;
        print(
          `${entry.id}  ${entry.status.padEnd(8)} @${entry.username}  ${entry.name}  ${workspace}${trouble}`,
        );
      }
      return;
    }
    case "rotate": {
      const workspaceId = await ownerOf(system, id);
      return print(await told(connectors.rotate(workspaceId, id ?? "", await token())));
    }
    case "test": {
      const workspaceId = await ownerOf(system, id);
      const { ok, checks } = await told(connectors.test(workspaceId, id ?? ""));
      for (const check of checks) {
        print(`${check.ok ? "ok  " : "FAIL"}  ${check.name.padEnd(12)} ${check.detail}`);
      }
      if (!ok) throw new Error("the connection is not as it should be");
      return;
    }
    case "remove": {
      const workspaceId = await ownerOf(system, id);
      return print(await told(connectors.remove(workspaceId, id ?? "")));
    }
    default:
      throw new Error(CONNECTOR_USAGE);
  }
}

function ownerAndName(
  action: string,
  { workspace, name }: { workspace?: string; name?: string },
): { workspace: string; name: string } {
  if (workspace === undefined || !UUID_SHAPE.test(workspace)) {
    throw new Error(`connector ${action} needs --workspace, a workspace's id`);
  }
  if (!name?.trim()) throw new Error(`connector ${action} needs --name`);
  return { workspace, name: name.trim() };
}

/** What should not be there is not quoted where it may be a token. */
const tooMuch = (argument: string) =>
  BOT_TOKEN_SHAPE.test(argument)
    ? "a token does not belong on the command line, where others can read it: give it on standard input or in BOT_TOKEN, and have @BotFather replace this one (/revoke)"
    : "there is an argument too many; see: heliograph connector";

async function ownerOf({ db }: System, id: string | undefined): Promise<string> {
  if (id === undefined)
    throw new Error("name the connector by its id; see: heliograph connector list");
  const workspaceId = UUID_SHAPE.test(id) ? await workspaceOfConnector(db, id) : null;
  if (workspaceId === null)
    throw new Error("there is no such connector; see: heliograph connector list");
  return workspaceId;
}

/** The answer, or what went wrong in one line. */
async function told<Answer>(call: Promise<Answer | null>): Promise<Answer> {
  let answer: Answer | null;
  try {
    answer = await call;
  } catch (error) {
    throw error instanceof Problem ? new Error(`${error.title}: ${error.detail}`) : error;
  }
  if (answer === null) throw new Error("the connector was removed meanwhile");
  return answer;
}

async function readToken(
  fromEnvironment: string | undefined,
  stdin: ConnectorCommandInput["stdin"],
): Promise<string> {
  const given = fromEnvironment ?? (await readAll(stdin));
  const token = given.trim();
  if (BOT_TOKEN_SHAPE.test(token)) return token;
  const where = fromEnvironment === undefined ? "standard input" : "BOT_TOKEN";
  throw new Error(
    `${where} holds no bot token: one looks like 123456:ABC-…, as @BotFather gives it`,
  );
}

async function readAll(stdin: ConnectorCommandInput["stdin"]): Promise<string> {
  if (stdin.isTTY === true) {
    throw new Error(
      "give the token on standard input (heliograph connector … < FILE) or in BOT_TOKEN",
    );
  }
  let text = "";
  stdin.setEncoding("utf8");
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > MAX_TOKEN_INPUT) break;
  }
  return text;
}
