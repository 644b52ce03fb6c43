import { parseArgs } from "node:util";
import { startSandbox } from "./sandbox.ts";
import type { SandboxOptions } from "./sandbox-types.ts";

/** The sandbox as a command of its own. */

export const usage =
  "[--port 8081] [--host 127.0.0.1] [--state file] [--record-limit 100000] [--record-file file] [--no-limits] [--local]";

/** @throws Error whose message names the argument, what is wrong and an example */
export function readArguments(args: string[]): SandboxOptions {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "8081" },
      host: { type: "string", default: "127.0.0.1" },
      state: { type: "string" },
      "record-limit": { type: "string" },
      "record-file": { type: "string" },
      local: { type: "boolean", default: false },
      "no-limits": { type: "boolean", default: false },
    },
  });
  return {
    port: wholeNumber("port", values.port, 65_535, "8081"),
    host: values.host,
    ...(values.state !== undefined && { stateFile: values.state }),
    ...(values["record-limit"] !== undefined && {
      recordLimit: wholeNumber("record-limit", values["record-limit"], 100_000_000, "100000"),
    }),
    ...(values["record-file"] !== undefined && { recordFile: values["record-file"] }),
    ...(values.local && { local: true }),
    ...(values["no-limits"] && { limits: { bot: [], paidBot: [], chat: [], group: [] } }),
  };
}

function wholeNumber(option: string, text: string, max: number, example: string): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isInteger(number) && number >= 0 && number <= max) return number;
  throw new Error(`--${option} is a whole number from 0 to ${max}, not "${text}"; e.g. ${example}`);
}

/**
 * Runs until SIGINT or SIGTERM, then stops cleanly. One JSON line on stdout says where it listens;
 * what keeps it from starting is one line on stderr and exit code 2 (arguments) or 1.
 */
export async function runSandbox(args: string[]): Promise<void> {
  let options: SandboxOptions;
  try {
    options = readArguments(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nusage: sandbox ${usage}\n`);
    process.exit(2);
  }
  const sandbox = await startSandbox(options).catch((error: NodeJS.ErrnoException) => {
    const taken = error.code === "EADDRINUSE";
    process.stderr.write(
      taken ? `port ${options.port} is taken: choose another with --port\n` : `${error.message}\n`,
    );
    process.exit(1);
  });
  process.stdout.write(`${JSON.stringify({ sandbox: sandbox.url })}\n`);
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      sandbox.close().then(
        () => process.exit(0),
        (error: Error) => {
          process.stderr.write(`${error.message}\n`);
          process.exit(1);
        },
      );
    });
}
