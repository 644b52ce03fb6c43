import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { projectUrl, type ScriptOptions, startInline } from "../../test/support/script.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { silentLogger } from "./log.ts";

const NOBODY = 65_534;

let pristine: string;
let dataFolder: string;
const running: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  pristine = await mkdtemp(path.join(tmpdir(), "heliograph-pristine-"));
  await (await startEmbeddedPostgres({ dataFolder: pristine, log: silentLogger })).stop();
});
afterAll(() => rm(pristine, { recursive: true, force: true }));

/**
 * What a first start and a stop have left. Where it is not the first start that is tried, this saves
 * making a cluster, which takes longer than everything else.
 */
const furnish = () => promisify(execFile)("cp", ["-a", `${pristine}/.`, dataFolder]);

beforeEach(async () => {
  dataFolder = await mkdtemp(path.join(tmpdir(), "heliograph-embedded-"));
});
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(dataFolder, { recursive: true, force: true });
});

async function start(folder = dataFolder): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataFolder: folder, log: silentLogger });
  running.push(postgres);
  return postgres;
}

async function query(url: string, sql: string): Promise<Array<Record<string, unknown>>> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const gone = (pid: number) => waitFor(() => !isAlive(pid), { what: `process ${pid} to end` });

describe("startEmbeddedPostgres", () => {
  test("finds its data again at the next start, durable, on loopback, behind a password", async () => {
    const first = await start();
    await query(first.url, "CREATE TABLE kept AS SELECT 1 AS n");
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);

    const second = await start();
    expect(await query(second.url, "SELECT n FROM kept")).toEqual([{ n: 1 }]);
    const settings = await query(
      second.url,
      `SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages,
              current_setting('listen_addresses') AS host, lower('ÄÉ') AS letters`,
    );
    expect(settings).toEqual([{ fsync: "on", pages: "on", host: "127.0.0.1", letters: "äé" }]);

    const stranger = new URL(second.url);
    stranger.password = "guess";
    await expect(query(stranger.toString(), "SELECT 1")).rejects.toThrow(/password/);
    const { mode } = await stat(path.join(dataFolder, "postgres", "heliograph-password"));
    expect(mode & 0o777).toBe(0o600);
  });

  test("after a crash of Postgres it recovers what was committed", async () => {
    await furnish();
    const first = await start();
    await query(first.url, "CREATE TABLE kept AS SELECT 1 AS n");
    process.kill(first.pid, "SIGKILL");
    await first.exited;
    await gone(first.pid);
    const second = await start();
    expect(await query(second.url, "SELECT n FROM kept")).toEqual([{ n: 1 }]);
  });

  test("a pid file whose number belongs to another program by now does not stop it", async () => {
    await furnish();
    // Postgres believes in numbers of its own user's processes only, so the stranger is one.
    const { uid, gid } = await stat(path.join(dataFolder, "postgres"));
    const stranger = spawn("sleep", ["600"], process.getuid?.() === 0 ? { uid, gid } : {});
    children.push(stranger);
    const pidFile = path.join(dataFolder, "postgres", "postmaster.pid");
    await writeFile(pidFile, `${stranger.pid}\n${dataFolder}\n1\n5432\n\n127.0.0.1\n`);
    const second = await start();
    expect(await query(second.url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
    expect(isAlive(stranger.pid ?? 0)).toBe(true);
  });

  test("a server without a master is stopped before the new one starts", async () => {
    await furnish();
    const orphan = await start();
    await query(orphan.url, "CREATE TABLE kept AS SELECT 1 AS n");
    const second = await start();
    expect(isAlive(orphan.pid)).toBe(false);
    expect(await query(second.url, "SELECT n FROM kept")).toEqual([{ n: 1 }]);
  });

  test("a port that somebody has taken meanwhile stops nobody", async () => {
    await furnish();
    const first = await start();
    await first.stop();
    const taker = createServer();
    await new Promise<void>((resolve) => {
      taker.listen(Number(new URL(first.url).port), "127.0.0.1", resolve);
    });
    try {
      expect(await query((await start()).url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
    } finally {
      taker.close();
    }
  });

  test("what an interrupted first start left is cleared away", async () => {
    await mkdir(path.join(dataFolder, "postgres.half-made-abc", "cluster", "base"), {
      recursive: true,
    });
    await mkdir(path.join(dataFolder, "postgres", "base"), { recursive: true });
    await writeFile(path.join(dataFolder, "postgres", "PG_VERSION"), "18\n");
    const postgres = await start();
    expect(await query(postgres.url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
    const names = await readdir(dataFolder);
    expect(names.filter((name) => name.includes("half-made"))).toEqual([]);
    expect(names.filter((name) => name.includes("set-aside"))).toHaveLength(1);
  });

  test("data whose control file is there is never set aside", async () => {
    await furnish();
    await rm(path.join(dataFolder, "postgres", "PG_VERSION"));
    await expect(start()).rejects.toThrow(/PG_VERSION is not: restore it/);
  });

  test("a Postgres that cannot start says why, from its own log", async () => {
    await furnish();
    await writeFile(path.join(dataFolder, "postgres", "postgresql.conf"), "no_such_thing = 1\n");
    await expect(start()).rejects.toThrow(/did not start: .*no_such_thing.*postgres\.log/);
  });

  test("its log names no content of statements and rows", async () => {
    await furnish();
    const { url } = await start();
    await query(url, "CREATE TABLE people (words text UNIQUE)");
    const insert = "INSERT INTO people VALUES ('private words')";
    await query(url, insert);
    await expect(query(url, insert)).rejects.toThrow(/duplicate key/);
    const log = path.join(dataFolder, "postgres.log");
    await waitFor(async () => (await readFile(log, "utf8")).includes("duplicate key"));
    expect(await readFile(log, "utf8")).not.toContain("private words");
  });
});

describe("in a process of its own", () => {
  async function launch(options: ScriptOptions = {}) {
    const source = `
      import { startEmbeddedPostgres } from "${projectUrl("src/platform/embedded-postgres.ts")}";
      import { silentLogger } from "${projectUrl("src/platform/log.ts")}";
      process.on("SIGINT", () => console.log("interrupted"));
      const dataFolder = process.argv.at(-1);
      const postgres = await startEmbeddedPostgres({ dataFolder, log: silentLogger });
      process.on("SIGTERM", () => postgres.stop().then(() => process.exit(0)));
      console.log(JSON.stringify({ pid: postgres.pid, url: postgres.url }));
      setInterval(() => {}, 1000);`;
    const script = startInline(source, { ...options, cwd: "/", args: [dataFolder] });
    children.push(script.child);
    const { pid, url } = JSON.parse(await script.line(/^{/)) as { pid: number; url: string };
    return { script, pid, url };
  }

  test("killed without a chance to clean up, it leaves no server behind", async () => {
    await furnish();
    const { script, pid } = await launch();
    script.child.kill("SIGKILL");
    await gone(pid);
    const again = await start();
    expect(await query(again.url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
  });

  test("Ctrl-C in a terminal does not end Postgres before the process asks it to", async () => {
    await furnish();
    const { script, pid, url } = await launch({ detached: true });
    process.kill(-(script.child.pid ?? 0), "SIGINT"); // to the whole group, as a terminal does
    await script.line("interrupted");
    expect(await query(url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
    script.child.kill("SIGTERM");
    expect(await script.exited).toBe(0);
    expect(isAlive(pid)).toBe(false);
  });

  // Only root can show what root may do: elsewhere there is nothing to test, and nothing to skip.
  if (process.getuid?.() === 0) {
    test("as root it hands Postgres to another account, also below a folder that only root may enter", async () => {
      const shut = path.join(dataFolder, "shut");
      const inside = path.join(shut, "inside");
      await mkdir(inside, { recursive: true });
      await chmod(shut, 0o700);
      const first = await start(inside);
      expect((await stat(path.join(inside, "postgres"))).uid).not.toBe(0);
      await query(first.url, "CREATE TABLE kept AS SELECT generate_series(1, 10000) AS n");
      await first.stop();
      const second = await start(inside);
      expect(await query(second.url, "SELECT count(*)::int AS n FROM kept")).toEqual([
        { n: 10000 },
      ]);
    });
  }
  if (process.getuid?.() === 0 && canBeReadByNobody()) {
    test("as a normal user it runs as that user, and later as root still as that user", async () => {
      await chown(dataFolder, NOBODY, NOBODY);
      const { script, pid, url } = await launch({ uid: NOBODY, gid: NOBODY });
      expect(await query(url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
      expect((await stat(path.join(dataFolder, "postgres"))).uid).toBe(NOBODY);
      script.child.kill("SIGTERM");
      await gone(pid);
      const asRoot = await start();
      expect(await query(asRoot.url, "SELECT 1 AS n")).toEqual([{ n: 1 }]);
    });
  }
});

/** Whether another user could run this project at all, where it lies, with this Node. */
function canBeReadByNobody(): boolean {
  const options = { uid: NOBODY, gid: NOBODY, cwd: "/" };
  const file = projectUrl("package.json");
  const source = `require("node:fs").readFileSync(new URL(${JSON.stringify(file)}))`;
  return spawnSync(process.execPath, ["-e", source], options).status === 0;
}
