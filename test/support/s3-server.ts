import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { S3StorageConfig } from "../../src/platform/index.ts";

/**
 * An S3-compatible server in a process of its own: s3rver, from the package registry. It does not check
 * signatures of version 4, nor sizes of parts, and knows neither how to list uploads nor how to abort
 * them; in front of it those two are answered from its own files, and parts are refused where a test
 * wants that.
 */
export interface S3Server {
  config: S3StorageConfig;
  /** Uploads that are neither completed nor aborted. */
  uploads(): Promise<string[]>;
  /** Makes them so much older. */
  ageUploads(byMs: number): Promise<void>;
  /** From now on no part but the first of an upload is taken. */
  refuseParts(isRefused: boolean): void;
  close(): Promise<void>;
}

const BUCKET = "files";
const UPLOADS = "._S3rver_uploads";
const BIN = "s3rver/bin/s3rver.js";

export async function startS3Server(): Promise<S3Server> {
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-s3-"));
  const bin = createRequire(import.meta.url).resolve(BIN);
  const options = ["-d", folder, "-a", "127.0.0.1", "-p", "0", "--no-vhost-buckets", "--silent"];
  const server = spawn(process.execPath, [bin, ...options, "--configure-bucket", BUCKET], {
    stdio: ["ignore", "pipe", "ignore"],
    env: {},
  });
  const port = await portOf(server.stdout);
  const uploadsFolder = path.join(folder, BUCKET, UPLOADS);
  let isRefusing = false;

  const uploads = async () => readdir(uploadsFolder).catch(() => []);

  async function listUploads(): Promise<string> {
    const parts = (await uploads()).map(async (id) => {
      const file = path.join(uploadsFolder, id, "key");
      const [key, { mtime }] = await Promise.all([readFile(file, "utf8"), stat(file)]);
      return `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${mtime.toISOString()}</Initiated></Upload>`;
    });
    const all = (await Promise.all(parts)).join("");
    return `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${all}</ListMultipartUploadsResult>`;
  }

  const front = http.createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const uploadId = url.searchParams.get("uploadId");
    if (request.method === "GET" && url.searchParams.has("uploads")) {
      response.writeHead(200, { "content-type": "application/xml" }).end(await listUploads());
    } else if (request.method === "DELETE" && uploadId !== null) {
      await rm(path.join(uploadsFolder, path.basename(uploadId)), { recursive: true, force: true });
      response.writeHead(204).end();
    } else if (isRefusing && Number(url.searchParams.get("partNumber")) > 1) {
      request.resume();
      response.writeHead(403, { "content-type": "application/xml" });
      response.end("<Error><Code>AccessDenied</Code><Message>No</Message></Error>");
    } else {
      passOn(request, response, port);
    }
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  const { port: frontPort } = front.address() as AddressInfo;

  return {
    config: {
      kind: "s3",
      bucket: BUCKET,
      prefix: "evidence/test",
      region: "us-east-1",
      endpoint: `http://127.0.0.1:${frontPort}`,
      credentials: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
    },
    uploads,
    ageUploads: async (byMs) => {
      const then = new Date(Date.now() - byMs);
      for (const id of await uploads())
        await utimes(path.join(uploadsFolder, id, "key"), then, then);
    },
    refuseParts: (isRefused) => {
      isRefusing = isRefused;
    },
    close: async () => {
      front.closeAllConnections();
      front.close();
      const ended = once(server, "exit");
      server.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function passOn(request: http.IncomingMessage, response: http.ServerResponse, port: number): void {
  const { method, url, headers } = request;
  const onward = http.request({ host: "127.0.0.1", port, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  request.pipe(onward);
}

/** It says where it listens once it does. */
async function portOf(output: NodeJS.ReadableStream): Promise<number> {
  let text = "";
  for await (const chunk of output) {
    text += chunk;
    const [, port] = /listening on \S+:(\d+)/.exec(text) ?? [];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`s3rver ended: ${text}`);
}
