import { newSession, SESSION_COOKIE, sessionKeyOf } from "../../src/console/session.ts";

/** The console over HTTP, as its own pages use it. */

export const TOKEN = "the-administrator";
/** A cookie as it was given out at that time by a process with that token. */
export const sessionCookie = (token = TOKEN, atMs = Date.now()) =>
  `${SESSION_COOKIE}=${newSession(sessionKeyOf(token), atMs)}`;

/** A request as a page of the console makes it, unless told otherwise. */
export function pageOf(url: string, cookie: string | undefined = sessionCookie()) {
  return (path: string, options: RequestInit & { headers?: Record<string, string> } = {}) =>
    fetch(url + path, {
      redirect: "manual",
      ...options,
      headers: {
        accept: "text/html",
        "sec-fetch-site": "same-origin",
        ...(cookie === "" ? {} : { cookie }),
        ...options.headers,
      },
    });
}
export type Page = ReturnType<typeof pageOf>;

export const post = (page: Page, path: string, body: unknown = {}, headers = {}) =>
  page(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });

export type Picture = Record<string, unknown>;

/** Reads server-sent events of that name until one is what is waited for; gives its data. */
export async function nextEvent(
  page: Page,
  topic: string,
  name: string,
  isIt: (picture: Picture) => boolean = () => true,
): Promise<Picture> {
  const response = await page(`/console/api/events?topic=${topic}`);
  if (response.status !== 200) throw new Error(`the stream was refused: ${response.status}`);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const events = text.split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) {
        const data = new RegExp(`^event: ${name}\ndata: (.*)$`).exec(event)?.[1];
        const picture = data === undefined ? null : (JSON.parse(data) as Picture);
        if (picture !== null && isIt(picture)) return picture;
      }
      const { value, done } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) throw new Error(`the stream ended before ${name}`);
      text += value;
    }
  } finally {
    await reader?.cancel();
  }
}
