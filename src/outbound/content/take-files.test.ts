import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { waitFor } from "../../../test/support/wait-for.ts";
import type { Content } from "./content.ts";
import { FileTaker } from "./take-files.ts";

let server: Server;
let root: string;
const asked: string[] = [];
/** Answers that are not given yet. */
const slow: (() => void)[] = [];
const CONTENT = Buffer.alloc(200_000, "0123456789");
beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    if (request.url?.startsWith("/slow")) slow.push(() => void response.end(CONTENT));
    else response.end(request.url === "/empty" ? "" : CONTENT);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const document = (path = "/a"): Content => ({ type: "document", file: { url: `${root}${path}` } });
const options = (signal = new AbortController().signal, workspaceId = "w") => ({
  workspaceId,
  messageId: "m",
  signal,
  mayDial: () => true,
});

test("what was taken can be read again from its beginning, also after half of it", async () => {
  const taken = await new FileTaker().take(document(), options());
  const [file] = taken.list;
  if (!file) throw new Error("no file");
  for await (const piece of file.open()) {
    expect(piece.length).toBeLessThan(CONTENT.length);
    break;
  }
  for (let n = 0; n < 2; n++) {
    expect(Buffer.concat(await file.open().toArray()).equals(CONTENT)).toBe(true);
  }
  expect(file.sizeBytes).toBe(CONTENT.length);
  await taken.close();
});

test("an empty file is none, and what could not be taken leaves its place to others", async () => {
  const taker = new FileTaker({ atOnce: 1 });
  const refused = taker.take(document("/empty"), options());
  await expect(refused).rejects.toMatchObject({ fault: "refused" });
  await (await taker.take(document(), options())).close();
});

test("no more than so many at once: others wait, go when they are told to, or in time", async () => {
  const taker = new FileTaker({ atOnce: 1, downloadMs: 200 });
  const first = await taker.take(document(), options());
  const leaving = new AbortController();
  const left = taker.take(document(), options(leaving.signal));
  const second = taker.take(document(), options());
  leaving.abort();
  await expect(left).rejects.toMatchObject({ fault: "aborted" });
  await first.close();
  const taken = await second;
  await expect(taker.take(document(), options())).rejects.toMatchObject({ fault: "late" });
  await taken.close();
  // What Telegram has takes no place.
  const known: Content = { type: "photo", file: { fileId: "AgAC" } };
  expect((await taker.take(known, options())).list).toEqual([null]);
});

test("a workspace that fills the places leaves some, and who has the fewest goes first", async () => {
  const taker = new FileTaker({ atOnce: 3, ofOneWorkspace: 2 });
  const of = (workspaceId: string) => taker.take(document(), options(undefined, workspaceId));
  const [one, two] = [await of("busy"), await of("busy")];
  const order: string[] = [];
  const waiting = ["busy", "busy"].map(async (name) => {
    const taken = await of(name);
    order.push(name);
    return taken;
  });
  const quiet = await of("quiet");
  const third = of("other").then((taken) => {
    order.push("other");
    return taken;
  });
  await one.close();
  for (const taken of [third, ...waiting]) void taken.then(({ close }) => close());
  await Promise.all([third, ...waiting]);
  expect(order).toEqual(["other", "busy", "busy"]);
  await Promise.all([two.close(), quiet.close()]);
});

test("no more on the disk than there may be, by the most that files may have until they are here", async () => {
  // Of documents, which have 50 MB at most, one and a little.
  const taker = new FileTaker({ maxBytes: 51 * 2 ** 20 });
  const first = taker.take(document("/slow1"), options());
  const album: Content = {
    type: "album",
    items: ["/slow2", "/3"].map((path) => ({
      type: "photo",
      file: { url: `${root}${path}` },
    })),
  };
  const second = taker.take(album, options());
  const third = taker.take(document("/4"), options());
  await waitFor(() => slow.length === 1);
  expect(asked.filter((path) => /slow|[34]/.test(path))).toEqual(["/slow1"]);
  // It is here, with the little that it has: there is room for the album, though it is not gone yet.
  slow[0]?.();
  const small = await first;
  await waitFor(() => slow.length === 2);
  expect(asked).not.toContain("/4");
  slow[1]?.();
  const both = await second;
  const last = await third;
  expect(asked.slice(-2)).toEqual(["/3", "/4"]);
  await Promise.all([small, both, last].map(({ close }) => close()));
});

test("what needs much room finds it: nobody passes it meanwhile", async () => {
  const taker = new FileTaker({ maxBytes: 60 * 2 ** 20, downloadMs: 5_000 });
  const photo: Content = { type: "photo", file: { url: `${root}/slow3` } };
  const begun = taker.take(photo, options());
  await waitFor(() => slow.length === 3);
  const large: Content = { type: "album", items: [document("/b"), document("/b")] as never };
  const order: string[] = [];
  const note = (name: string) => (taken: { close(): Promise<void> }) => {
    order.push(name);
    return taken.close();
  };
  const waiting = taker.take(large, options()).then(note("large"));
  const later = taker.take({ ...photo, file: { url: `${root}/c` } }, options()).then(note("small"));
  slow[2]?.();
  await (await begun).close();
  await Promise.all([waiting, later]);
  expect(order).toEqual(["large", "small"]);
});
