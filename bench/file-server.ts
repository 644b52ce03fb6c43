import { createReadStream, statSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import path from "node:path";

/**
 * A Bot API server of one's own that has one file, as a process of its own: it says by `getFile` where it
 * lies, as an absolute path (`disk`) or as a link's (`http`), and gives it with its ranges.
 */
const [port = "0", file = "", mode = "http"] = process.argv.slice(2);
const { size } = statSync(file);
const filePath = mode === "disk" ? file : `documents/${path.basename(file)}`;

const say = (response: ServerResponse, result: unknown) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ ok: true, result }));
};

const server = createServer((request, response) => {
  request.resume();
  const url = request.url ?? "";
  if (url.startsWith("/file/")) {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": size - start,
      ...(start > 0 ? { "content-range": `bytes ${start}-${size - 1}/${size}` } : {}),
    });
    const content = createReadStream(file, { start, highWaterMark: 1_048_576 });
    content.pipe(response);
    response.once("close", () => content.destroy());
    return;
  }
  if (url.endsWith("/getFile")) {
    say(response, { file_id: "f", file_unique_id: "u", file_size: size, file_path: filePath });
    return;
  }
  say(response, true);
});
server.listen(Number(port), "127.0.0.1", () => process.stdout.write("up\n"));
