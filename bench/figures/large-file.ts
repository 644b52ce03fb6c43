import { type ChildProcess, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createJobs } from "../../src/jobs/index.ts";
import { freePort } from "../../src/platform/free-port.ts";
import { type Database, parseRedisUrl, silentLogger } from "../../src/platform/index.ts";
import { type Environment, openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { handIn } from "../handed-in.ts";
import { round } from "../numbers.ts";
import { until } from "../until.ts";

const FILE_BYTES = 2_000_000_000;
const KILLS = 5;
/** A worker is killed once it has brought so much more. */
const KILLED_AFTER_BYTES = 150_000_000;
const MEMORY_BYTES = 100_000_000;

/** 2 GB of a Bot API server with `--local`, read from its disk, beside `curl` to a file. */
export const largeFileFromDisk = () => largeFile("disk");
/** The same over HTTP, with ranges. */
export const largeFileOverHttp = () => largeFile("http");

async function largeFile(mode: "disk" | "http"): Promise<Figure> {
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-large-"));
  const file = path.join(folder, "file.bin");
  const port = await freePort();
  const root = `http://127.0.0.1:${port}`;
  const environment = await openEnvironment(root);
  const { db, redisUrl } = environment;
  const redis = redisUrl === undefined ? undefined : parseRedisUrl(redisUrl);
  const jobs = createJobs({ db, log: silentLogger, redis });
  try {
    const sha256 = await writeLargeFile(file);
    await environment.script("file-server", [String(port), file, mode]);
    const curlSeconds = curl(`${root}/file/bot1/documents/file.bin`, path.join(folder, "curl.bin"));
    const env: Record<string, string> = mode === "disk" ? { TELEGRAM_LOCAL_FILES: folder } : {};
    const fetchOne = async () => {
      const [bot] = await environment.addBots(1, "new");
      if (bot === undefined) throw new Error("no bot");
      const { fileId, job } = await handIn(db, bot);
      await jobs.enqueue(job);
      return fileId;
    };

    const worker = await environment.start("evidence", [], env);
    const beforeBytes = await memoryOf(worker, "VmRSS");
    const fileId = await fetchOne();
    await until(async () => (await fileOf(db, fileId)).state === "stored", { everyMs: 50 });
    const grewBytes = (await memoryOf(worker, "VmHWM")) - beforeBytes;
    const seconds = await secondsOf(db, fileId);
    worker.kill("SIGTERM");
    await once(worker, "exit");

    const killed = await fetchKilled(environment, env, fetchOne);
    const isRight = [await fileOf(db, fileId), killed].every((one) => one.sha256 === sha256);
    const ratio = curlSeconds === null ? null : curlSeconds / seconds;
    return {
      figure: `2 GB of a self-hosted Bot API server, ${mode === "disk" ? "from its disk" : "over HTTP"}`,
      value: round(FILE_BYTES / 1e6 / seconds),
      unit: "MB/s",
      baseline:
        curlSeconds === null
          ? null
          : { name: "curl to a file", value: round(FILE_BYTES / 1e6 / curlSeconds) },
      ratio: ratio === null ? null : round(ratio * 100) / 100,
      memoryGrewMb: round(grewBytes / 1e6),
      killed: KILLS,
      attemptsWhenKilled: killed.attempts,
      hashIsRight: isRight,
      target: `at least 0.7 of curl, memory grows by less than ${MEMORY_BYTES / 1e6} MB, right after ${KILLS} kills`,
      reached: ratio !== null && ratio >= 0.7 && grewBytes < MEMORY_BYTES && isRight,
    };
  } finally {
    await jobs.stop();
    await environment.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A worker is killed in the middle, five times; the sixth brings it to its end. */
async function fetchKilled(
  { db, start }: Environment,
  env: Record<string, string>,
  fetchOne: () => Promise<string>,
): Promise<FileRow> {
  const fileId = await fetchOne();
  for (let n = 0; n < KILLS; n++) {
    const worker = await start("evidence", [], env);
    const from = (await fileOf(db, fileId)).received;
    await until(async () => (await fileOf(db, fileId)).received >= from + KILLED_AFTER_BYTES, {
      everyMs: 5,
    });
    worker.kill("SIGKILL");
    await once(worker, "exit");
  }
  await start("evidence", [], env);
  await until(async () => (await fileOf(db, fileId)).state === "stored", { everyMs: 50 });
  return fileOf(db, fileId);
}

interface FileRow {
  state: string;
  received: number;
  sha256: string | null;
  attempts: number;
}

async function fileOf(db: Database, fileId: string): Promise<FileRow> {
  const [row] = await db.query<FileRow>(
    `SELECT f.state, f.received_bytes::float8 AS received, encode(f.sha256, 'hex') AS sha256,
       (SELECT j.attempts FROM jobs j WHERE j.payload->>'fileId' = f.id::text) AS attempts
     FROM evidence_files f WHERE f.id = $1`,
    [fileId],
  );
  if (row === undefined) throw new Error("no file");
  if (row.state === "failed") throw new Error("the file was not fetched");
  return row;
}

/** From the worker's taking it in hand to its being stored. */
async function secondsOf(db: Database, fileId: string): Promise<number> {
  const [row] = await db.query<{ seconds: number }>(
    `SELECT extract(epoch FROM f.stored_at - j.started_at)::float8 AS seconds
     FROM evidence_files f JOIN jobs j ON j.payload->>'fileId' = f.id::text AND j.kind = 'download'
     WHERE f.id = $1`,
    [fileId],
  );
  return row?.seconds ?? Number.NaN;
}

/** Of a process, as Linux tells it: now (VmRSS), or the most it ever was (VmHWM). In bytes. */
async function memoryOf({ pid }: ChildProcess, name: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kb = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  return Number(kb) * 1024;
}

/** No two of its blocks are alike. Answers its hash, in hex. */
async function writeLargeFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  const block = Buffer.alloc(1_000_000, "evidence of what was done, and by whom; ");
  const handle = await open(file, "wx");
  try {
    for (let n = 0; n < FILE_BYTES / block.length; n++) {
      block.writeUInt32BE(n, 0);
      block.writeUInt32BE(n ^ 0x5a5a5a5a, block.length - 4);
      hash.update(block);
      await handle.writeFile(block);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return hash.digest("hex");
}

/** In seconds; null where there is no curl. */
function curl(url: string, to: string): number | null {
  const startedMs = performance.now();
  const { status } = spawnSync("curl", ["-sS", "-o", to, url], { stdio: "ignore" });
  return status === 0 ? (performance.now() - startedMs) / 1_000 : null;
}
