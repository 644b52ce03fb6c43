import type { BotApi } from "../../src/telegram/index.ts";

/** Of a Bot API of a test's own, which is asked for no file. */
export const NO_DOWNLOADS: Pick<BotApi, "download"> = {
  download: () => Promise.reject(new Error("no file was to be asked for")),
};
