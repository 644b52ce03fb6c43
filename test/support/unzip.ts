import { buffer } from "node:stream/consumers";
import { fromBufferPromise } from "yauzl";

/** What is in a zip file, by path, in its order; checked against its sums. Throws for a broken one. */
export async function unzip(zip: Buffer): Promise<Map<string, Buffer>> {
  const opened = await fromBufferPromise(zip, { lazyEntries: true });
  const contents = new Map<string, Buffer>();
  for await (const entry of opened.eachEntry()) {
    contents.set(entry.fileName, await buffer(await opened.openReadStreamPromise(entry)));
  }
  return contents;
}
