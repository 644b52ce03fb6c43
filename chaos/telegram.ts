import type { RecordEntry, TelegramMessage } from "../sandbox/index.ts";

/** Where a person writes: to a bot alone, or in a group. */
export interface Place {
  chatId: number;
  botId?: number;
}

/** A file as somebody's device sends it. A photo has no name. */
export interface SentFile {
  kind: "document" | "photo";
  name: string;
  content: Uint8Array<ArrayBuffer>;
}

/** The sandbox of the run, which is a process of its own, by its control API. */
export class Telegram {
  private readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  createUser(firstName: string): Promise<{ id: number }> {
    return this.post("/users", { firstName });
  }

  createBot(name: string, username: string): Promise<{ id: number; token: string }> {
    return this.post("/bots", { name, username, canReadAllGroupMessages: true });
  }

  createGroup(title: string, memberIds: number[]): Promise<{ id: number }> {
    return this.post("/chats", { type: "supergroup", title, memberIds });
  }

  /** What a person writes. Throws when the sandbox refuses it. */
  async say(from: number, place: Place, text: string): Promise<void> {
    await this.post("/send", { from, ...place, text });
  }

  /** A file, or an album of several; gives their messages, in that order. */
  sendFiles(
    from: number,
    place: Place,
    files: SentFile[],
    caption?: string,
  ): Promise<TelegramMessage[]> {
    const form = new FormData();
    const parts = files.map(({ kind, name, content }, n) => {
      form.append(`file${n}`, new Blob([content]), name);
      return { kind, file: { part: `file${n}` } };
    });
    const [only] = parts;
    const what = parts.length === 1 && only ? { [only.kind]: only.file } : { album: parts };
    const about = caption !== undefined && parts.length === 1 ? { caption } : {};
    form.append("send", JSON.stringify({ from, ...place, ...what, ...about }));
    return this.request("POST", "/send", form);
  }

  /** The last messages of a chat, oldest first. */
  lastMessages({ chatId, botId }: Place, last: number): Promise<TelegramMessage[]> {
    const query = new URLSearchParams({ chatId: String(chatId), last: String(last) });
    if (botId !== undefined) query.set("botId", String(botId));
    return this.request("GET", `/messages?${query}`);
  }

  /** False when the message does not have this button any more. */
  async press(from: number, place: Place, messageId: number, data: string): Promise<boolean> {
    const press = { from, ...place, messageId, data };
    return this.post("/press", press).then(
      () => true,
      (error) => {
        if (error instanceof SandboxRefusal) return false;
        throw error;
      },
    );
  }

  fault(fault: object): Promise<{ id: string }> {
    return this.post("/faults", fault);
  }

  outage(forMs: number): Promise<{ id: string }> {
    return this.post("/outages", { forMs });
  }

  async endFaults(): Promise<void> {
    await this.request("DELETE", "/faults");
    await this.request("DELETE", "/outages");
  }

  async pendingUpdates(botIds: number[]): Promise<number> {
    const infos = await Promise.all(
      botIds.map((id) => this.request<{ pending_update_count: number }>("GET", `/webhooks/${id}`)),
    );
    return infos.reduce((sum, info) => sum + info.pending_update_count, 0);
  }

  /** Entries after `seq`; `next` to ask on from. */
  record(
    after: number,
    kinds: string[],
  ): Promise<{ entries: RecordEntry[]; next: number; lastSeq: number }> {
    const query = new URLSearchParams({
      after: String(after),
      limit: "10000",
      kinds: kinds.join(","),
    });
    return this.request("GET", `/record?${query}`);
  }

  private post<Answer>(path: string, body: object): Promise<Answer> {
    return this.request("POST", path, body);
  }

  private async request<Answer>(method: string, path: string, body?: object): Promise<Answer> {
    const isForm = body instanceof FormData;
    const response = await fetch(`${this.url}/sandbox/api${path}`, {
      method,
      ...(isForm ? {} : { headers: { "content-type": "application/json" } }),
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    if (!response.ok) throw new SandboxRefusal(`sandbox ${method} ${path}: ${response.status}`);
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  }
}

/** It answered, and did not do it. */
class SandboxRefusal extends Error {
  override name = "SandboxRefusal";
}
