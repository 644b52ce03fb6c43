import { actAs } from "../audit/index.ts";
import type { ChatRequest, Handled, Reply, RequestSink } from "../conversations/index.ts";
import { fewRows, type Transaction } from "../platform/index.ts";
import type { RegisterAccess, Role, Viewer } from "./rights.ts";

/** What is known of who asks, and of the bot that is asked. */
export interface Asker {
  viewer: Viewer;
  access: RegisterAccess;
  /** Lower or upper case as Telegram has it; without the @. */
  botUsername: string;
}

/** A request of one kind. */
export type RequestOf<Kind extends ChatRequest["kind"]> = Extract<ChatRequest, { kind: Kind }>;

/** Acts on one request, in its update's transaction, and gives what it is answered. */
export type RequestHandler<Request extends ChatRequest> = (
  tx: Transaction,
  request: Request,
  asker: Asker,
) => Promise<Reply[]>;

/** What came of a file or of words: what nobody took as their own is for the team. */
export interface Offered {
  replies: Reply[];
  isTaken: boolean;
}

export type OfferHandler<Request extends ChatRequest> = (
  tx: Transaction,
  request: Request,
  asker: Asker,
) => Promise<Offered>;

export interface RequestHandlers {
  command: RequestHandler<RequestOf<"command">>;
  /** Every press is answered, whatever its data says. */
  press: RequestHandler<RequestOf<"press">>;
  file: OfferHandler<RequestOf<"file">>;
  text: OfferHandler<RequestOf<"text">>;
  inlineQuery: RequestHandler<RequestOf<"inline-query">>;
}

const ASKERS = `/* compliance.askers */
SELECT a.n, c.username, c.register_access AS access, p.id AS person_id, p.role
FROM (
  SELECT * FROM unnest($1::int[], $2::uuid[], $3::uuid[], $4::bigint[])
    AS a(n, workspace_id, connector_id, user_id) ${fewRows("$1")}
) a
JOIN connectors c ON c.workspace_id = a.workspace_id AND c.id = a.connector_id
LEFT JOIN people p ON p.workspace_id = a.workspace_id AND p.telegram_user_id = a.user_id`;

interface AskerRow {
  n: number;
  username: string;
  access: RegisterAccess;
  person_id: string | null;
  role: Role | null;
}

async function findAskers(
  tx: Transaction,
  requests: readonly ChatRequest[],
): Promise<Map<number, Asker>> {
  const rows = await tx.query<AskerRow>(ASKERS, [
    requests.map((_, n) => n),
    requests.map(({ workspaceId }) => workspaceId),
    requests.map(({ connectorId }) => connectorId),
    requests.map(({ user }) => user.id),
  ]);
  return new Map(
    rows.map(({ n, username, access, person_id: personId, role }) => [
      n,
      { viewer: { personId, role }, access, botUsername: username },
    ]),
  );
}

/**
 * What the room of compliance makes of what people ask in chats: one request after the other, each by
 * the handler of its kind, in the name of who asked. A batch holds few of them: whoever asks is a
 * person. A connector that is gone answers nobody. `atEnd` runs once, after the last: what takes lanes.
 */
export function createRequestSink(
  handlers: RequestHandlers,
  atEnd: (tx: Transaction) => Promise<void> = async () => {},
): RequestSink {
  return async (tx, requests) => {
    const askers = await findAskers(tx, requests);
    const replies: Reply[] = [];
    const taken = new Set<ChatRequest>();
    for (const [n, request] of requests.entries()) {
      const asker = askers.get(n);
      if (asker === undefined) continue;
      const actor = { kind: "telegram_user", id: request.user.id } as const;
      const came = await actAs(actor, null, () => handle(handlers, tx, request, asker));
      replies.push(...came.replies);
      if (came.isTaken) taken.add(request);
    }
    await atEnd(tx);
    return { replies, taken } satisfies Handled;
  };
}

async function handle(
  handlers: RequestHandlers,
  tx: Transaction,
  request: ChatRequest,
  asker: Asker,
): Promise<Offered> {
  const answered = (replies: Reply[]): Offered => ({ replies, isTaken: true });
  switch (request.kind) {
    case "command":
      return answered(await handlers.command(tx, request, asker));
    case "press":
      return answered(await handlers.press(tx, request, asker));
    case "file":
      return handlers.file(tx, request, asker);
    case "text":
      return handlers.text(tx, request, asker);
    case "inline-query":
      return answered(await handlers.inlineQuery(tx, request, asker));
  }
}
