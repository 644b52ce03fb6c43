import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { createWorkspace } from "../connectors/index.ts";
import { insertJobs } from "../jobs/index.ts";
import { silentLogger, type Transaction } from "../platform/index.ts";
import { changeEvidence, createEvidence, LastDayStands, setControl } from "./change-evidence.ts";
import { findEvidence } from "./evidence-view.ts";
import { createEvidenceExpiry } from "./expiry.ts";
import { readProvenance } from "./provenance.ts";
import { decide, submitForReview } from "./review.ts";
import { type JobSink, type NewFile, takeFiles } from "./take-files.ts";

/** By the engine, as ingest does it, in a workspace of its own; another one looks on. */
let database: TestDatabase;
let workspaceId = "";
let strangerId = "";
const connectorId = randomUUID();
const jobs: JobSink = { enqueueIn: (tx, some) => insertJobs(tx.engine, some) };
const SENDER = "telegram:7001";
const REVIEWER = "telegram:7002";

beforeAll(async () => {
  database = await createTestDatabase({ max: 8 });
  workspaceId = (await createWorkspace(database.db, "Ours")).id;
  strangerId = (await createWorkspace(database.db, "Another's")).id;
});
afterAll(() => database.drop());

const inTx = <Result>(work: (tx: Transaction) => Promise<Result>) => database.db.transaction(work);
const begin = async (status: "requested" | "draft" = "draft") => {
  const evidence = { workspaceId, type: "photo", description: "d", status, createdBy: SENDER };
  return (await inTx((tx) => createEvidence(tx, evidence))).id;
};

let messages = 0;
const newFile = (more: Partial<NewFile> = {}): NewFile => ({
  kind: "photo",
  name: null,
  claimedType: "image/jpeg",
  claimedBytes: 1_000,
  connectorId,
  chatId: "-1005",
  messageId: String(++messages),
  threadId: null,
  mediaGroupId: null,
  telegramFileId: `file-${messages}`,
  telegramUniqueId: `unique-${messages}`,
  sentAt: new Date(1_790_000_000_000),
  ...more,
});
const take = (evidenceId: string, files = [newFile()], submittedBy = SENDER) =>
  inTx((tx) => takeFiles(tx, jobs, { workspaceId, evidenceId, submittedBy, files }));
const submit = (evidenceId: string) =>
  inTx((tx) => submitForReview(tx, { workspaceId, evidenceId, by: SENDER }));
const say = (
  evidenceId: string,
  revision: number,
  by = REVIEWER,
  more: { decision?: "approved" | "rejected"; expiresOn?: string } = {},
) =>
  inTx((tx) =>
    decide(tx, { workspaceId, evidenceId, revision, decision: "approved", by, ...more }),
  );

/** As the evidence pool does it. */
async function store(evidenceId: string): Promise<void> {
  const [file] = await database.owner.query<{ id: string }>(
    `INSERT INTO stored_files (workspace_id, state, key_sealed, sha256, size_bytes, stored_at)
     VALUES ($1, 'stored', '\\x00', sha256($2::text::bytea), 3, now()) RETURNING id`,
    [workspaceId, randomUUID()],
  );
  await database.owner.query(
    `UPDATE evidence_files SET state = 'stored', stored_file_id = $3, size_bytes = 3,
       sha256 = sha256(id::text::bytea), content_type = 'image/jpeg', stored_at = clock_timestamp()
     WHERE workspace_id = $1 AND evidence_id = $2 AND state = 'queued'`,
    [workspaceId, evidenceId, file?.id],
  );
}
const find = async (id: string) => {
  const evidence = await findEvidence(database.db, { workspaceId, id });
  if (evidence === null) throw new Error("it is gone");
  return evidence;
};
/** In review, with one file that is stored. */
async function handedIn(by = SENDER): Promise<string> {
  const id = await begin();
  await take(id, [newFile()], by);
  await store(id);
  await submit(id);
  return id;
}
async function approved(more: { expiresOn?: string } = {}): Promise<string> {
  const id = await handedIn();
  expect(await say(id, 1, REVIEWER, more)).toEqual({ state: "approved", revision: 1 });
  return id;
}
const actionsOn = async (id: string) =>
  (
    await database.db.query<{ action: string }>(
      "SELECT action FROM audit_entries WHERE workspace_id = $1 AND subject_id = $2 ORDER BY id",
      [workspaceId, id],
    )
  ).map(({ action }) => action.replace("evidence.", ""));
const person = async (userId: number) => {
  const [row] = await database.db.query<{ id: string }>(
    `INSERT INTO people (workspace_id, name, telegram_user_id, bound_at)
     VALUES ($1, 'Ada', $2, now()) RETURNING id`,
    [workspaceId, userId],
  );
  return row?.id ?? "";
};

describe("files", () => {
  test("of an album are taken in their order, each with its job, under a name that is safe", async () => {
    const id = await begin("requested");
    const album = ["../../etc/passwd", null, "b\u202Egpj.exe"].map((name) =>
      newFile({ name, mediaGroupId: "album", kind: "document" }),
    );
    const taken = await take(id, album);
    const evidence = await find(id);
    expect(evidence).toMatchObject({ status: "draft", revision: 1, submittedBy: SENDER });
    expect(evidence.files.map((file) => file.id)).toEqual(taken.map(({ fileId }) => fileId));
    for (const { name, state } of evidence.files) {
      expect([name, state]).toEqual([expect.stringMatching(/^[^/\\\u202E]+$/), "queued"]);
    }
    const found = await database.db.query<{ lane: string; file: string }>(
      `SELECT lane, payload ->> 'fileId' AS file FROM jobs
       WHERE queue = 'evidence' AND kind = 'download' AND workspace_id = $1 ORDER BY id`,
      [workspaceId],
    );
    expect(found.map(({ file }) => file)).toEqual(taken.map(({ fileId }) => fileId));
    expect(found.every(({ lane }) => /^[0-9a-f-]{36}\/[0-3]$/.test(lane))).toBe(true);
  });

  test("are taken once, also twice in one call, at the same time, and into other evidence", async () => {
    const id = await begin();
    const file = newFile();
    const [first, again] = await take(id, [file, file]);
    expect(first?.isNew).toBe(true);
    expect(again).toEqual({ fileId: first?.fileId, isNew: false });
    const other = await begin("requested");
    const offers = await Promise.all([take(id, [file]), take(other, [file]), take(other, [file])]);
    for (const offer of offers) expect(offer).toEqual([again]);
    // Nothing came to it, so it is as it was.
    expect(await find(other)).toMatchObject({ status: "requested", revision: 0, files: [] });
  });

  test("that come while it is looked at give all of it another number", async () => {
    const id = await handedIn();
    await take(id);
    const evidence = await find(id);
    expect(evidence).toMatchObject({ status: "draft", revision: 2 });
    expect(evidence.files.map(({ revision, state }) => [revision, state])).toEqual([
      [2, "stored"],
      [2, "queued"],
    ]);
    await submit(id);
    expect(await say(id, 1)).toEqual({ refused: "superseded" });
    expect(await say(id, 2)).toEqual({ refused: "incomplete" });
    await store(id);
    expect(await say(id, 2)).toEqual({ state: "approved", revision: 2 });
  });

  test("after a decision are another revision; the approved one counts meanwhile", async () => {
    const id = await approved();
    await take(id);
    const evidence = await find(id);
    expect(evidence).toMatchObject({ status: "draft", revision: 2, approvedRevision: 1 });
    expect(evidence.files).toHaveLength(1);
    const [provenance] = await readProvenance(database.db, workspaceId, [id]);
    expect(provenance?.revisions).toMatchObject([
      {
        decision: "approved",
        decidedBy: REVIEWER,
        content: expect.stringMatching(/^[0-9a-f]{64}$/),
        files: [{ isDecidedOn: true, telegram: { connectorId, chatId: "-1005" } }],
      },
      { decision: null, content: null, files: [{ isDecidedOn: false }] },
    ]);
  });

  test("of a workspace go into no evidence of another", async () => {
    const id = await begin();
    const files = [newFile()];
    const taking = inTx((tx) =>
      takeFiles(tx, jobs, {
        workspaceId: strangerId,
        evidenceId: id,
        submittedBy: SENDER,
        files,
      }),
    );
    await expect(taking).rejects.toThrow("not there");
    expect(await findEvidence(database.db, { workspaceId: strangerId, id })).toBeNull();
  });
});

describe("a decision", () => {
  test("is nobody's who handed any of it in, whatever they are called by then", async () => {
    const id = await handedIn("telegram:7010");
    const before = await find(id);
    expect(await say(id, 1, "telegram:7010")).toEqual({ refused: "own" });
    // The account is somebody's now, and then no longer: it is the same account.
    const personId = await person(7_010);
    expect(await say(id, 1, `person:${personId}`)).toEqual({ refused: "own" });
    expect(await say(id, 1, "telegram:7010")).toEqual({ refused: "own" });
    const second = await handedIn(`person:${personId}`);
    await database.db.query(
      "UPDATE people SET telegram_user_id = NULL, bound_at = NULL WHERE id = $1",
      [personId],
    );
    expect(await say(second, 1, "telegram:7010")).toEqual({ refused: "own" });
    expect(await find(id)).toEqual(before);
    expect(await say(id, 1)).toMatchObject({ state: "approved" });
    expect(await actionsOn(id)).toEqual([
      "created",
      "files_taken",
      "submitted",
      "decision_refused",
      "decision_refused",
      "decision_refused",
      "approved",
    ]);
  });

  test("is not a second sender's either, nor by the key that uploaded", async () => {
    const id = await begin();
    await take(id, [newFile()], SENDER);
    await take(id, [newFile()], "key:a");
    await store(id);
    await submit(id);
    expect(await say(id, 1, "key:a")).toEqual({ refused: "own" });
    expect(await say(id, 1, "key:b")).toMatchObject({ state: "approved" });
  });

  test("is one of two that are made at once", async () => {
    const id = await handedIn();
    const both = await Promise.all([
      say(id, 1, "telegram:7021"),
      say(id, 1, "telegram:7022", { decision: "rejected" }),
    ]);
    const won = both.filter((one) => "state" in one);
    expect(won).toHaveLength(1);
    expect(both).toContainEqual({ refused: "not-in-review" });
    const changing = database.db.query(
      "UPDATE evidence_revisions SET decided_by = 'key:c' WHERE evidence_id = $1",
      [id],
    );
    await expect(changing).rejects.toMatchObject({ code: "HG004" });
    expect(await find(id)).toMatchObject({ status: won[0] && "state" in won[0] && won[0].state });
  });

  test("is about the files that were seen, not about one that is being stored in that moment", async () => {
    const id = await handedIn();
    const [late] = await take(id);
    await submit(id);
    await inTx(async (tx) => {
      await tx.query(
        `UPDATE evidence_files SET state = 'stored', size_bytes = 3, sha256 = sha256('late'),
           removed_at = now(), stored_at = clock_timestamp() WHERE id = $1`,
        [late?.fileId],
      );
      const said = await say(id, 2, REVIEWER, { decision: "rejected" });
      expect(said).toEqual({ state: "rejected", revision: 2 });
    });
    const [provenance] = await readProvenance(database.db, workspaceId, [id]);
    const [revision] = provenance?.revisions ?? [];
    expect(revision?.files.map(({ isDecidedOn }) => isDecidedOn)).toEqual([true, false]);
    const [entry] = await database.db.query<{ content: string }>(
      `SELECT details ->> 'content' AS content FROM audit_entries
       WHERE action = 'evidence.rejected' AND subject_id = $1`,
      [id],
    );
    expect(revision?.content).toBe(entry?.content);
  });

  test("is about what is there, and about evidence of its own workspace", async () => {
    const empty = await begin();
    expect(await submit(empty)).toEqual({ refused: "not-draft" });
    const lost = await begin();
    await take(lost);
    await database.owner.query(
      `UPDATE evidence_files SET state = 'failed', error = 'gone' WHERE evidence_id = $1`,
      [lost],
    );
    expect(await submit(lost)).toEqual({ refused: "no-content" });
    await take(lost);
    expect(await submit(lost)).toMatchObject({ state: "in_review" });
    expect(await say(empty, 1)).toEqual({ refused: "superseded" });
    expect(await say(randomUUID(), 1)).toEqual({ refused: "unknown" });
    const said = { evidenceId: await handedIn(), revision: 1, decision: "approved" } as const;
    const foreign = inTx((tx) => decide(tx, { workspaceId: strangerId, by: REVIEWER, ...said }));
    expect(await foreign).toEqual({ refused: "unknown" });
  });
});

describe("expiry", () => {
  const expiry = () => createEvidenceExpiry({ db: database.db, log: silentLogger });
  const day = (offset: number) =>
    new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);

  test("ends what counts once its last day is over, and nothing else", async () => {
    const over = await approved({ expiresOn: day(-2) });
    const renewed = await approved({ expiresOn: day(-2) });
    await take(renewed);
    const counts = await approved({ expiresOn: day(2) });
    expect(await expiry().runOnce()).toBe(2);
    expect(await expiry().runOnce()).toBe(0);
    expect(await find(over)).toMatchObject({ status: "expired", approvedRevision: null });
    expect(await find(renewed)).toMatchObject({ status: "draft", approvedRevision: null });
    expect(await find(counts)).toMatchObject({ status: "approved", approvedRevision: 1 });
    expect((await actionsOn(over)).at(-1)).toBe("expired");
    // Approved without another day it would end at once.
    await store(renewed);
    await submit(renewed);
    expect(await say(renewed, 2)).toEqual({ refused: "over" });
    expect(await say(renewed, 2, REVIEWER, { expiresOn: day(2) })).toMatchObject({
      state: "approved",
    });
    expect(await expiry().runOnce()).toBe(0);
  });
});

test("what was approved until a day counts longer by another approval alone", async () => {
  const until = (evidenceId: string, expiresOn: string | null) =>
    inTx((tx) => changeEvidence(tx, { workspaceId, evidenceId }, { expiresOn }));
  const id = await approved({ expiresOn: "2090-01-02" });
  for (const later of ["2090-01-03", null]) {
    await expect(until(id, later)).rejects.toThrow(LastDayStands);
  }
  for (const sooner of ["2090-01-02", "2090-01-01"]) expect(await until(id, sooner)).toBe(true);
  expect((await find(id)).expiresOn).toBe("2090-01-01");
  const open = await approved();
  expect(await until(open, null)).toBe(true);
  expect(await until(await begin(), "2090-01-01")).toBe(true);
});

test("a control of another workspace is none", async () => {
  const [control] = await database.db.query<{ id: string }>(
    "INSERT INTO controls (workspace_id, code, title) VALUES ($1, 'C1', 'C') RETURNING id",
    [strangerId],
  );
  const evidenceId = await begin();
  const setting = inTx((tx) =>
    setControl(tx, { workspaceId, evidenceId, controlId: control?.id ?? "" }),
  );
  await expect(setting).rejects.toMatchObject({ code: "23503" });
});
