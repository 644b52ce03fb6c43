import { SHELF, type Standing, shelfParts } from "./shelf.ts";
import { SUBJECT, subjectOfLane } from "./subject.ts";
import { type JobId, QUEUES, type QueueName } from "./types.ts";

/** What may be looked for; everything given must hold. A tenant's calls always name their workspace. */
export interface JobFilter {
  workspaceId?: string;
  queue?: QueueName;
  /** As people see them: `scheduled` waits for its time, `available` is due. Empty: none. */
  states?: readonly Standing[];
  /** The whole name. */
  lane?: string;
  /** A bot's: the updates it got, and what it sends. */
  connectorId?: string;
  /** A chat's: the updates of its lane, and what is sent to it. As text, e.g. "-1001234567890". */
  chatId?: string;
  /** Bot API: update_id, as text. Each bot has its own. */
  updateId?: string;
  errorClass?: string;
  /**
   * A job's id, an `update_id`, a lane's name, an error class, or words of an error's text (all of
   * them; the last may be unfinished).
   */
  text?: string;
  /** Enqueued at this time or later. */
  createdFrom?: Date;
  /** Enqueued before this time. */
  createdTo?: Date;
}

/** One job by its id, or those that match. */
export type WhichJobs = JobFilter & { id?: JobId };

const MAX_BIGINT = 2n ** 63n - 1n;

/** True for a decimal id that fits the column; anything else names no job. */
export function isJobId(text: string): boolean {
  return /^[0-9]{1,19}$/.test(text) && BigInt(text) <= MAX_BIGINT;
}

/** Where a search goes on: after this id, in the order of the search. */
export interface SearchWindow {
  limit: number;
  /** Default: newest first. */
  order?: "newest" | "oldest";
  afterId?: JobId;
}

/** An id's bounds are looked up this much wider: who draws an id may take a moment to write it. */
const CLOCK_MARGIN = "interval '1 min'";
const FILED_SHELF = "j.shelf";
/** As their indexes have them (migrations/0005_ledger.ts). */
const OWNER = `"left"(j.lane, 36) COLLATE "C"`;
const UPDATE_ID = `(j.payload->>'updateId') COLLATE "C"`;
const ANY_ERROR_CLASS = "(j.error_class || '')";
/** As the index over all jobs has it, which no other search is to use. */
const ANY_SHELF = "(j.shelf + 0)";

/** A job whose error has the words of a search. */
export interface WordMatch {
  workspace_id: string;
  id: JobId;
}
/** So many matches of words are taken one by one; words in more errors are soon met in order. */
export const MANY_MATCHES = 2_000;

/**
 * The filed jobs whose errors have these words, in no order, up to one more than `MANY_MATCHES`. All of
 * them, or the last may be unfinished.
 */
export function wordMatches(text: string): { sql: string; params: unknown[] } {
  const sql = `SELECT j.workspace_id, j.id FROM jobs j
    WHERE j.filed AND j.error IS NOT NULL AND ${hasWords("$1")} LIMIT ${MANY_MATCHES + 1}`;
  return { sql, params: [text.trim()] };
}

const hasWords = (param: string) => {
  const query = `plainto_tsquery('simple', ${param})`;
  return `to_tsvector('simple', j.error) @@ CASE WHEN numnode(${query}) = 0 THEN ${query}
      ELSE (${query}::text || ':*')::tsquery END`;
};

interface Walk {
  shelf?: string;
  shelves?: string;
  splitTime?: boolean;
  order?: string[];
}

/**
 * Builds searches. Each is a union of sources: an index that leads to the filed jobs, walked shelf by
 * shelf in the order of ids, so that a page costs what it shows, whatever else there is; all that
 * the index does not know is checked row by row. The last source is what is not filed (filing.ts):
 * little, and checked for everything that is asked for.
 */
export class JobSearch {
  readonly params: unknown[] = [];
  private readonly which: WhichJobs;
  private readonly window: SearchWindow;
  private readonly matches: readonly WordMatch[];

  /** `matches`: what `wordMatches` gave for the filter's text, if it has one. */
  constructor(which: WhichJobs, window: SearchWindow, matches: readonly WordMatch[] = []) {
    this.which = which;
    this.window = window;
    this.matches = matches;
  }

  /** SQL that gives `workspace_id` and `id` of what was found, each once. */
  found(): string {
    const sources = [...this.sources(), this.unfiled()];
    return `SELECT DISTINCT workspace_id, id FROM (${sources.join("\n UNION ALL\n ")}) u
      ORDER BY id ${this.direction} LIMIT ${this.param(this.window.limit)}`;
  }

  private get direction(): "ASC" | "DESC" {
    return this.window.order === "oldest" ? "ASC" : "DESC";
  }

  private sources(): string[] {
    const { id, text, updateId, lane, chatId, errorClass, connectorId, workspaceId } = this.which;
    if (id !== undefined) return isJobId(id) ? [this.ofId(id)] : [];
    const words = text?.trim();
    if (words) return this.textSources(words);
    if (updateId !== undefined) return [this.ofUpdate(updateId)];
    if (lane !== undefined) return [this.ofLane(lane)];
    if (chatId !== undefined) return [this.ofChat(chatId)];
    if (errorClass !== undefined) return [this.ofErrorClass(errorClass)];
    if (connectorId !== undefined) return [this.ofOwner(connectorId)];
    const [base, shelf] =
      workspaceId === undefined
        ? ["true", ANY_SHELF]
        : [this.isOfWorkspace(workspaceId), FILED_SHELF];
    return [this.walk(base, { shelf, splitTime: true }), ...this.dueOnly(base)];
  }

  private textSources(text: string): string[] {
    const sources = [this.ofLane(text), this.ofErrorClass(text)];
    if (isJobId(text)) sources.push(this.ofId(text), this.ofUpdate(text));
    if (this.matches.length > MANY_MATCHES) sources.push(this.walk(this.failedWith(text)));
    else sources.push(this.ofMatches());
    return sources;
  }

  private ofId(id: JobId): string {
    return this.walk(`j.id = ${this.param(id)}`, { shelf: ANY_SHELF });
  }

  private ofUpdate(updateId: string): string {
    // Of the queue that takes updates, as its index is.
    return this.walk(`${UPDATE_ID} = ${this.param(updateId)} AND j.shelf < 8`, {
      order: [UPDATE_ID],
    });
  }

  /** There is an index of the class alone, of the class in a workspace, and at a bot. */
  private ofErrorClass(errorClass: string): string {
    const { connectorId, workspaceId } = this.which;
    const name = this.param(errorClass);
    const isSo = `j.error_class = ${name}`;
    if (connectorId !== undefined) {
      const order = [OWNER, "j.error_class", FILED_SHELF];
      return this.walk(`${this.isOwner(connectorId)} AND ${isSo}`, { order });
    }
    if (workspaceId !== undefined)
      return this.walk(`${this.isOfWorkspace(workspaceId)} AND ${isSo}`);
    return this.walk(`${ANY_ERROR_CLASS} = ${name}`, { order: [ANY_ERROR_CLASS, FILED_SHELF] });
  }

  /** Walks what failed, in order: words that are in many errors are soon found so. */
  private failedWith(text: string): string {
    const { workspaceId, connectorId } = this.which;
    const conditions = [`j.error IS NOT NULL AND ${hasWords(this.param(text))}`];
    if (workspaceId !== undefined) conditions.push(this.isOfWorkspace(workspaceId));
    if (connectorId !== undefined) conditions.push(this.isOwner(connectorId));
    return conditions.join(" AND ");
  }

  private isOfWorkspace(id: string): string {
    return `j.workspace_id = ${this.param(id)}`;
  }

  private isOwner(id: string): string {
    return `${OWNER} = ${this.param(id)}`;
  }

  /**
   * Only in the queues that have such a lane, if it is theirs who ask: otherwise, all of the same chat
   * or owner would be read to find none. A lane that is named by its owner alone shares the owner's index.
   */
  private ofLane(lane: string): string {
    const name = this.param(lane);
    const subject = subjectOfLane(lane);
    const isSo = `(j.lane = ${name}) IS TRUE`;
    const { workspaceId } = this.which;
    const isOwn =
      workspaceId === undefined ? "" : ` AND l.workspace_id = ${this.param(workspaceId)}`;
    const shelves = `EXISTS (
      SELECT FROM lanes l WHERE l.queue = s.queue AND l.lane = ${name}${isOwn})`;
    if (subject === "") return this.ofOwner(lane, { and: isSo, shelves });
    return this.walk(`${SUBJECT} = ${this.param(subject)} AND ${isSo}`, {
      shelves,
      order: [SUBJECT, FILED_SHELF],
    });
  }

  /** All that an id owns is one workspace's: the first job tells, or a foreign id reads all of it. */
  private ofOwner(id: string, { and = "true", shelves = "true" } = {}): string {
    const { workspaceId } = this.which;
    const isOwn =
      workspaceId === undefined
        ? "true"
        : `(SELECT j.workspace_id FROM jobs j WHERE j.filed AND ${this.isOwner(id)} LIMIT 1)
          = ${this.param(workspaceId)}`;
    return this.walk(`${this.isOwner(id)} AND ${and}`, {
      shelves: `${shelves} AND ${isOwn}`,
      order: [OWNER, FILED_SHELF],
    });
  }

  private ofChat(chatId: string): string {
    const { workspaceId } = this.which;
    // The index holds the workspace: what others sent to the chat is passed over unread.
    const ofSender = workspaceId === undefined ? "" : ` AND ${this.isOfWorkspace(workspaceId)}`;
    return this.walk(`${SUBJECT} = ${this.param(chatId)}${ofSender}`, {
      order: [SUBJECT, FILED_SHELF],
    });
  }

  /**
   * Jobs on each shelf that an index leads to, in order, as many as the window takes. `order`: what
   * the index has before the id. It is the same for all that is found, and said all the same: under
   * row-level security the planner does not take it from the condition, where that is an expression.
   */
  private walk(
    condition: string,
    { shelf = FILED_SHELF, shelves = "true", splitTime = false, order }: Walk = {},
  ): string {
    const { queue, states } = this.which;
    const parts = shelfParts(queue === undefined ? QUEUES : [queue], states).filter(
      ({ due }) => !splitTime || due !== true,
    );
    const s = `unnest(${this.param(parts.map(({ shelf }) => shelf))}::smallint[],
        ${this.param(parts.map(({ due }) => due))}::boolean[],
        ${this.param(parts.map(({ queue: name }) => name))}::text[]) AS s(shelf, due, queue)`;
    return `SELECT j.workspace_id, j.id FROM ${s}
      CROSS JOIN LATERAL (
        SELECT j.workspace_id, j.id FROM jobs j
        WHERE j.filed AND ${condition} AND ${shelf} = s.shelf
          AND (s.due IS NULL OR s.due = (j.run_at <= now())) ${this.rest()}
        ORDER BY ${[...(order ?? [shelf]), "j.id"].map((one) => `${one} ${this.direction}`).join(", ")}
        LIMIT ${this.param(this.window.limit)}
      ) j
      WHERE ${shelves}`;
  }

  /** What was enqueued for later and is due, when what is not due is not wanted: by time. */
  private dueOnly(base: string): string[] {
    const { queue, states } = this.which;
    const parts = shelfParts(queue === undefined ? QUEUES : [queue], states);
    const queues = parts.flatMap((part) => (part.due === true ? [part.queue] : []));
    if (queues.length === 0) return [];
    return [
      `SELECT j.workspace_id, j.id FROM jobs j
      WHERE ${base} AND j.state = 'available' AND j.run_at > j.created_at
        AND j.queue = ANY (${this.param(queues)}::text[]) AND j.run_at <= now() ${this.rest()}`,
    ];
  }

  private ofMatches(): string {
    const { queue, states } = this.which;
    const parts = shelfParts(queue === undefined ? QUEUES : [queue], states);
    return `SELECT j.workspace_id, j.id
      FROM unnest(${this.param(this.matches.map((match) => match.workspace_id))}::uuid[],
        ${this.param(this.matches.map((match) => match.id))}::bigint[]) AS m(workspace_id, id)
      JOIN jobs j ON j.workspace_id = m.workspace_id AND j.id = m.id
      JOIN unnest(${this.param(parts.map(({ shelf }) => shelf))}::smallint[],
        ${this.param(parts.map(({ due }) => due))}::boolean[]) AS s(shelf, due)
        ON s.shelf = ${SHELF} AND (s.due IS NULL OR s.due = (j.run_at <= now()))
      WHERE true ${this.rest()}`;
  }

  /** "IS TRUE" leaves one index that leads there: that of all that is not filed. */
  private unfiled(): string {
    const { id, text, queue, states } = this.which;
    const conditions: string[] = [];
    if (id !== undefined) conditions.push(isJobId(id) ? `j.id = ${this.param(id)}` : "false");
    else if (text?.trim()) conditions.push(this.isText(text.trim()));
    if (queue !== undefined || states !== undefined) {
      const parts = shelfParts(queue === undefined ? QUEUES : [queue], states);
      conditions.push(`EXISTS (
        SELECT FROM unnest(${this.param(parts.map(({ shelf }) => shelf))}::smallint[],
          ${this.param(parts.map(({ due }) => due))}::boolean[]) AS s(shelf, due)
        WHERE s.shelf = ${SHELF} AND (s.due IS NULL OR s.due = (j.run_at <= now())))`);
    }
    const all = conditions.map((condition) => `AND (${condition}) IS TRUE`).join("\n        ");
    return `(SELECT j.workspace_id, j.id FROM jobs j
      WHERE NOT j.filed ${all} ${this.rest()}
      ORDER BY j.id ${this.direction} LIMIT ${this.param(this.window.limit)})`;
  }

  private isText(text: string): string {
    const param = this.param(text);
    const isId = isJobId(text) ? `j.id = ${this.param(text)}` : "false";
    return `j.lane = ${param} OR j.error_class = ${param} OR ${isId}
      OR j.payload->>'updateId' = ${param} OR (j.error IS NOT NULL AND ${hasWords(param)})`;
  }

  /** Everything that is asked for, whatever the source has seen to already. */
  private rest(): string {
    const { which } = this;
    const conditions: string[] = [];
    const bound = (value: unknown, condition: (param: string) => string) => {
      if (value !== undefined) conditions.push(condition(this.param(value)));
    };
    // "IS TRUE" keeps a check from leading the planner to another index than the source's own.
    const check = (value: unknown, condition: (param: string) => string) =>
      bound(value, (param) => `(${condition(param)}) IS TRUE`);
    bound(
      this.window.afterId,
      (id) => `j.id ${this.direction === "ASC" ? ">" : "<"} ${id}::bigint`,
    );
    check(which.workspaceId, (id) => `j.workspace_id = ${id}`);
    if (which.id === undefined) {
      check(which.lane, (name) => `j.lane = ${name}`);
      check(which.connectorId, (id) => `"left"(j.lane, 36) = ${id}`);
      check(which.chatId, (id) => `${SUBJECT} = ${id}`);
      check(which.updateId, (id) => `j.payload->>'updateId' = ${id}`);
      check(which.errorClass, (name) => `j.error_class = ${name}`);
    }
    bound(
      which.createdFrom?.toISOString(),
      (time) => `j.created_at >= ${time}::timestamptz
        AND j.id > coalesce((SELECT last_id FROM job_clock
          WHERE at <= ${time}::timestamptz - ${CLOCK_MARGIN} ORDER BY at DESC LIMIT 1), 0)`,
    );
    bound(
      which.createdTo?.toISOString(),
      (time) => `j.created_at < ${time}::timestamptz
        AND j.id <= coalesce((SELECT last_id FROM job_clock
          WHERE at >= ${time}::timestamptz + ${CLOCK_MARGIN} ORDER BY at LIMIT 1), ${MAX_BIGINT})`,
    );
    return conditions.map((condition) => `AND ${condition}`).join("\n          ");
  }

  private param(value: unknown): string {
    this.params.push(value);
    return `$${this.params.length}`;
  }
}
