import { placeOfUpdate, type TracedMessage, traceMessages } from "../conversations/index.ts";
import {
  type AttemptView,
  getJob,
  type JobPayload,
  type JobTrace,
  type JobView,
  readJobBody,
  traceJob,
} from "../jobs/index.ts";
import { type MessageTrace, traceMessage } from "../outbound/index.ts";
import type { Database } from "../platform/index.ts";

/** Everything of one job that an operator is shown. No text, no names, no phone numbers. */
export interface JobPage {
  job: JobView & { attemptLog: AttemptView[] };
  /** Settings that are ids or kinds; what else the payload holds is named only. */
  payload: { shown: Record<string, string>; hidden: string[] };
  trace: Omit<JobTrace, "payload">;
  /** The message it sends, or was made to. */
  outbound: MessageTrace | null;
  /** The stored messages it led to, with their conversations. */
  messages: TracedMessage[];
}

/** Null when there is no such job. */
export async function loadJobPage(db: Database, id: string): Promise<JobPage | null> {
  const job = await getJob(db, { id });
  const found = job === null ? null : await traceJob(db, job);
  if (job === null || found === null) return null;
  const { payload, ...trace } = found;
  const outbound =
    typeof payload.messageId === "string"
      ? await traceMessage(db, { workspaceId: job.workspaceId, id: payload.messageId })
      : null;
  const messages = await messagesOf(db, job, payload, outbound);
  return { job, payload: shownPayload(payload), trace, outbound, messages };
}

async function messagesOf(
  db: Database,
  job: JobView,
  payload: JobPayload,
  outbound: MessageTrace | null,
): Promise<TracedMessage[]> {
  const { workspaceId } = job;
  if (outbound !== null) {
    return traceMessages(db, { workspaceId, connectorId: outbound.connectorId }, outbound);
  }
  const { connectorId } = payload;
  if (job.queue !== "ingest" || typeof connectorId !== "string") return [];
  const body = await readJobBody(db, job);
  const place = body === null ? null : placeOfUpdate(body);
  return place === null ? [] : traceMessages(db, { workspaceId, connectorId }, place);
}

/** Named as ids and kinds are. A list that lets in, so that a new setting stays hidden until it is known. */
const SHOWN_KEY = /^(?:id|kind|[a-z][A-Za-z]*(?:Id|Ids|Kind))$/;
const SHOWN_VALUE = /^[\w.@/-]{1,100}$/;

/** What of a payload may be shown: ids and kinds. The names of the rest, without what they hold. */
export function shownPayload(payload: JobPayload): JobPage["payload"] {
  const shown: Record<string, string> = {};
  const hidden: string[] = [];
  for (const [key, value] of Object.entries(payload)) {
    const isScalar = typeof value === "string" || typeof value === "number";
    if (isScalar && SHOWN_KEY.test(key) && SHOWN_VALUE.test(String(value))) {
      shown[key] = String(value);
    } else {
      hidden.push(key.slice(0, 60));
    }
  }
  return { shown, hidden: hidden.slice(0, 50) };
}
