import type { RecordEntry } from "../sandbox/index.ts";

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
  async say(from: number, place: { chatId: number; botId?: number }, text: string): Promise<void> {
    await this.post("/send", { from, ...place, text });
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
    const response = await fetch(`${this.url}/sandbox/api${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    if (!response.ok) throw new Error(`sandbox ${method} ${path}: ${response.status}`);
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  }
}
