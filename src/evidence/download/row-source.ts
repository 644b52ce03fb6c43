import type { FoundFile } from "./source.ts";

/** Content that its row has: a place, or links. Nobody is asked for it. */
export function onRow(written: string): FoundFile {
  const content = Buffer.from(written);
  const sizeBytes = content.length;
  return {
    sizeBytes,
    open: async (from) => ({
      sizeBytes,
      from,
      content: rest(content, from),
      close: async () => {},
    }),
  };
}

async function* rest(content: Buffer, from: number): AsyncGenerator<Buffer> {
  if (from < content.length) yield content.subarray(from);
}
