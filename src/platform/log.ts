import pino from "pino";
import pretty from "pino-pretty";
import type { LogLevel } from "./config.ts";
import { loggable } from "./loggable.ts";
import { scrub } from "./scrub.ts";

/** What the code logs through. `fields` must hold ids and counts, never content or secrets. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** `level`: the child says what is of this level, whatever the process says. */
  child(fields: object, level?: LogLevel): Logger;
}

/** Says nothing; for tests. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

export interface LoggerOptions {
  level: LogLevel;
  /** Lines for people instead of JSON. Default: when stderr is a terminal. */
  pretty?: boolean;
  /** Where lines go, each with its newline. Default: stderr. */
  write?: (line: string) => void;
}

/**
 * The process's log, JSON lines on stderr. Fields are made plain first (errors without what an
 * error may carry of a request or a row), and every line is scrubbed as it leaves: pino's own
 * redaction knows neither deep paths nor what stands inside messages and stacks.
 */
export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? toStderr();
  const output = { write: (line: string) => write(scrub(line)) };
  const isPretty = options.pretty ?? process.stderr.isTTY === true;
  const destination = isPretty ? prettyInto(output) : output;
  return wrap(
    pino(
      {
        level: options.level,
        base: { pid: process.pid },
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        // `loggable` has done this already, and better
        serializers: {},
      },
      destination,
    ),
  );
}

function wrap(logger: pino.Logger): Logger {
  const at = (level: "debug" | "info" | "warn" | "error") => (fields: object, message: string) => {
    if (logger.isLevelEnabled(level)) logger[level](loggable(fields), message);
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields, level) => wrap(logger.child(loggable(fields), level ? { level } : {})),
  };
}

/** Waits for the reader of a full pipe, and survives one that has gone. */
function toStderr(): (line: string) => void {
  const destination = pino.destination({ dest: 2, sync: true });
  destination.on("error", () => {});
  return (line) => void destination.write(line);
}

function prettyInto(output: { write(line: string): void }): pino.DestinationStream {
  const format = pretty.prettyFactory({
    colorize: true,
    ignore: "pid",
    translateTime: "SYS:HH:MM:ss.l",
  });
  return { write: (line) => output.write(format(line)) };
}
