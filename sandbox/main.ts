import { parseArgs } from "node:util";
import { startSandbox } from "./index.ts";

/**
 * Runs the sandbox by itself:
 *   node dist/sandbox/main.js [--port 8081] [--host 127.0.0.1] [--state file] [--no-limits]
 * One JSON line on stdout says where it listens; SIGINT and SIGTERM stop it cleanly.
 */
const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8081" },
    host: { type: "string", default: "127.0.0.1" },
    state: { type: "string" },
    "no-limits": { type: "boolean", default: false },
    "record-limit": { type: "string" },
  },
});

function wholeNumber(option: string, text: string, max: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= max) return number;
  process.stderr.write(`--${option} must be a whole number from 0 to ${max}, e.g. 8081\n`);
  process.exit(2);
}

const sandbox = await startSandbox({
  port: wholeNumber("port", values.port, 65_535),
  host: values.host,
  ...(values.state !== undefined && { stateFile: values.state }),
  ...(values["record-limit"] !== undefined && {
    recordLimit: wholeNumber("record-limit", values["record-limit"], 100_000_000),
  }),
  ...(values["no-limits"] && { limits: { bot: [], paidBot: [], chat: [], group: [] } }),
}).catch((error: NodeJS.ErrnoException) => {
  const taken = error.code === "EADDRINUSE";
  process.stderr.write(
    taken ? `port ${values.port} is taken: choose another with --port\n` : `${error.message}\n`,
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
