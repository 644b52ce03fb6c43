import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../../src/platform/free-port.ts";
import { findRedisServer } from "./executable.ts";
import { waitFor } from "./wait-for.ts";

export interface OwnRedis {
  url: string;
  port: number;
  /** Ends it at once, as a crash would: nothing is saved. */
  stop(): Promise<void>;
  /** Starts it again, empty, on the same port; stops it first when it runs. */
  restart(): Promise<void>;
  /**
   * Every write it ever made, as the commands of its append-only file, byte for byte in latin1. With
   * `appendOnly`.
   */
  written(): Promise<string>;
  /** One command over the wire, e.g. `cli("FLUSHALL")`, `cli("INFO", "memory")`; gives the raw reply. */
  cli(...command: string[]): Promise<string>;
}

export interface RedisOptions {
  /** Default: a free one. */
  port?: number;
  /** How many databases it has. Default 16. */
  databases?: number;
  /** Keeps every write in an append-only file, which is never rewritten. Default: nothing is kept. */
  appendOnly?: boolean;
}

/** Kills the server when the pipe from us closes: asked to, or because we are gone in any way. */
const ENDS_WITH_US = '"$@" & read -r _; kill -9 $!; wait';

/** A redis-server of the caller's own: nothing outlives it, never evicting. Stop it when done. */
export async function startRedis(options: RedisOptions = {}): Promise<OwnRedis> {
  const binary = findRedisServer();
  if (binary === undefined) throw new Error("redis-server is not on PATH: guard with needs()");
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-redis-"));
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    await mkdir(folder, { recursive: true });
    const flags = {
      port: String(port),
      bind: "127.0.0.1",
      dir: folder,
      save: "",
      appendonly: options.appendOnly ? "yes" : "no",
      "auto-aof-rewrite-percentage": "0",
      // What it begins with is written as commands, too.
      "aof-use-rdb-preamble": "no",
      "maxmemory-policy": "noeviction",
      databases: String(options.databases ?? 16),
      "enable-debug-command": "yes",
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    child = spawn("/bin/sh", ["-c", ENDS_WITH_US, "redis", binary as string, ...args], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    child.stdin?.on("error", () => {});
    child.unref();
    (child.stdin as Socket).unref();
    await waitFor(async () => (await command(port, ["PING"])).startsWith("+PONG"), {
      what: `redis-server to answer on port ${port}`,
    });
  }

  async function halt(): Promise<void> {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const exited = once(running, "exit");
    running.ref();
    running.stdin?.destroy();
    await exited;
  }

  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    stop: async () => {
      await halt();
      await rm(folder, { recursive: true, force: true });
    },
    restart: async () => {
      await halt();
      await start();
    },
    written: async () => {
      // A command's reply leaves after the writes before it are in the file.
      await command(port, ["PING"]);
      const names = (await readdir(folder, { recursive: true })).filter((name) =>
        name.endsWith(".aof"),
      );
      const files = names.map((name) => readFile(path.join(folder, name), "latin1"));
      return (await Promise.all(files)).join("\n");
    },
    cli: (...words) => command(port, words),
  };
}

/** Sends one command in RESP and gives the reply as it came, once the line has been quiet. */
function command(port: number, words: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let reply = "";
    socket.setEncoding("utf8");
    socket.setTimeout(5_000, () => socket.destroy(new Error("Redis did not answer in 5 s")));
    socket.on("connect", () => {
      const frames = [...words, ""].map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
      // QUIT after it: the server closes when everything has been answered.
      socket.write(`*${words.length}\r\n${frames.slice(0, -1).join("")}*1\r\n$4\r\nQUIT\r\n`);
    });
    socket.on("data", (text) => {
      reply += text;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(reply.replace(/\+OK\r\n$/, "").trimEnd()));
  });
}
