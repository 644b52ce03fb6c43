import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { S3StorageConfig } from "../../src/platform/index.ts";

/**
 * What S3 says on the wire of uploads in parts that nobody has ended (S3 API: ListMultipartUploads,
 * AbortMultipartUpload): a bucket's, of whatever program, by prefix and in pages.
 */
export interface S3UploadsServer {
  /** Without a prefix. */
  config: Omit<S3StorageConfig, "prefix">;
  /** An upload that began so long ago; answers its id. */
  begin(key: string, ageMs: number): string;
  /** It is listed, and has ended by the time that somebody aborts it. */
  endBeforeAbort(uploadId: string): void;
  /** As servers do that do not know the parameter: the whole bucket is listed. */
  ignorePrefix(): void;
  /** Keys of those that are left. */
  left(): string[];
  close(): Promise<void>;
}

interface Upload {
  key: string;
  id: string;
  initiated: Date;
}

const BUCKET = "shared";
const PAGE = 2;

const xml = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export async function startS3UploadsServer(): Promise<S3UploadsServer> {
  const uploads: Upload[] = [];
  const ending = new Set<string>();
  let knowsPrefix = true;
  let last = 0;

  function page(query: URLSearchParams): string {
    const prefix = knowsPrefix ? (query.get("prefix") ?? "") : "";
    const [keyMarker, idMarker] = [query.get("key-marker"), query.get("upload-id-marker") ?? ""];
    const isBehind = ({ key, id }: Upload) =>
      keyMarker === null || key > keyMarker || (key === keyMarker && id > idMarker);
    const all = uploads
      .filter((upload) => upload.key.startsWith(prefix) && isBehind(upload))
      .sort((a, b) => (a.key + a.id < b.key + b.id ? -1 : 1));
    const some = all.slice(0, PAGE);
    const end = some.at(-1);
    const next =
      all.length > some.length && end !== undefined
        ? `<NextKeyMarker>${xml(end.key)}</NextKeyMarker><NextUploadIdMarker>${end.id}</NextUploadIdMarker>`
        : "";
    const listed = some.map(
      ({ key, id, initiated }) =>
        `<Upload><Key>${xml(key)}</Key><UploadId>${id}</UploadId><Initiated>${initiated.toISOString()}</Initiated></Upload>`,
    );
    return `<ListMultipartUploadsResult><IsTruncated>${next !== ""}</IsTruncated>${next}${listed.join("")}</ListMultipartUploadsResult>`;
  }

  function abort(key: string, id: string): boolean {
    const at = uploads.findIndex((upload) => upload.key === key && upload.id === id);
    if (at < 0) return false;
    uploads.splice(at, 1);
    return !ending.has(id);
  }

  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const [, bucket, ...key] = url.pathname.split("/");
    const id = url.searchParams.get("uploadId");
    const answer = (status: number, body = "") =>
      response.writeHead(status, { "content-type": "application/xml" }).end(body);
    if (bucket !== BUCKET) return answer(404, "<Error><Code>NoSuchBucket</Code></Error>");
    if (request.method === "GET" && url.searchParams.has("uploads")) {
      return answer(200, page(url.searchParams));
    }
    if (request.method !== "DELETE" || id === null) return answer(501);
    if (abort(decodeURIComponent(key.join("/")), id)) return answer(204);
    return answer(404, "<Error><Code>NoSuchUpload</Code><Message>It ended</Message></Error>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    config: {
      kind: "s3",
      bucket: BUCKET,
      region: "us-east-1",
      endpoint: `http://127.0.0.1:${port}`,
      credentials: { accessKeyId: "A", secretAccessKey: "S" },
    },
    begin: (key, ageMs) => {
      const id = `upload-${String(++last).padStart(4, "0")}`;
      uploads.push({ key, id, initiated: new Date(Date.now() - ageMs) });
      return id;
    },
    endBeforeAbort: (uploadId) => void ending.add(uploadId),
    ignorePrefix: () => {
      knowsPrefix = false;
    },
    left: () => uploads.map(({ key }) => key).sort(),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
