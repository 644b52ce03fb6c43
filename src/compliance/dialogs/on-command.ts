import type { Asked, Reply } from "../../conversations/index.ts";
import { fewRows, type Transaction } from "../../platform/index.ts";
import type { Asker } from "../request-sink.ts";
import { may } from "../rights.ts";
import { begin } from "./begin.ts";
import { newDialog } from "./dialog.ts";
import { holdConversation, holdOpen } from "./dialog-rows.ts";
import type { Doing } from "./effects.ts";
import { openRequests } from "./find-controls.ts";
import { actingOf, finish, placeOf, servesEvidence, tell, textsOf } from "./in-chat.ts";
import {
  type CollectionData,
  type CollectionState,
  emptyCollection,
  evidenceCollection,
} from "./machine-evidence-collection.ts";
import { emptyAssessment, riskAssessment } from "./machine-risk-assessment.ts";
import { findResumable, numberOf } from "./resume.ts";

/** As evidence has them. */
const MAX_TYPE = 100;
const MAX_DESCRIPTION = 4_000;

/**
 * `/evidence [type] [description]`, its arguments as words. With both a record is made; with the number
 * of one (`EV-17`) that is gone on with; otherwise usage and an example are shown, with a way on by buttons.
 */
export async function onEvidence(
  tx: Transaction,
  doing: Doing,
  request: Asked,
  asker: Asker,
  words: readonly string[],
): Promise<Reply[]> {
  const { refused } = textsOf(request);
  if (!servesEvidence(request)) {
    return [tell(request, refused[request.purpose === "support" ? "supportChat" : "place"])];
  }
  if (!may(asker.viewer, "submit-evidence", asker.access)) return [tell(request, refused.rights)];
  const [evidenceType = "", ...rest] = words;
  const description = rest.join(" ").trim();
  const isWhole = evidenceType.trim() !== "" && description !== "";
  if (isWhole && (evidenceType.length > MAX_TYPE || description.length > MAX_DESCRIPTION)) {
    return [tell(request, refused.tooLong)];
  }
  const place = placeOf(request);
  const acting = actingOf(request, asker, doing.clock());
  await holdConversation(tx, place);
  const open = await holdOpen(tx, place, acting);
  const { workspaceId } = request;
  const number = words.length === 1 ? numberOf(evidenceType) : null;
  const resumed = number === null ? null : await findResumable(tx, workspaceId, number, acting);
  if (number !== null && resumed === null) return [tell(request, refused.notYours)];
  const requests = isWhole ? [] : await openRequests(tx, { workspaceId, ...acting });
  const dialog = newDialog<CollectionState, CollectionData>(place, {
    machine: evidenceCollection,
    ...(resumed ?? { state: "choosing-type", data: emptyCollection(requests) }),
    userId: acting.userId,
    language: acting.language,
    nowMs: acting.nowMs,
  });
  const event = isWhole ? ({ type: "described", evidenceType, description } as const) : null;
  return finish(tx, request, await begin(tx, doing, { dialog, event, open }, acting));
}

const RISK = `/* dialogs.risk */
SELECT * FROM (
  SELECT id, code, title, version, status FROM risks WHERE workspace_id = $1 AND id = $2::uuid
  UNION ALL
  SELECT r.* FROM (SELECT code FROM unnest($3::text[]) AS c(code) ${fewRows("$3")}) c
  CROSS JOIN LATERAL (
    SELECT id, code, title, version, status FROM risks
    WHERE workspace_id = $1 AND code = c.code OFFSET 0
  ) r
) r
ORDER BY code = $4 DESC LIMIT 1`;

interface RiskRow {
  id: string;
  code: string;
  title: string;
  version: number;
  status: string;
}

/** A risk by its id, or by its code: as it is written, or in capitals. */
export type WantedRisk = { riskId: string } | { code: string };

/** Begins the assessment of a risk, or tells why not. */
export async function onAssess(
  tx: Transaction,
  doing: Doing,
  request: Asked,
  asker: Asker,
  wanted: WantedRisk,
): Promise<Reply[]> {
  const begun = await beginAssessment(tx, doing, request, asker, wanted);
  return typeof begun === "string" ? [tell(request, begun)] : begun;
}

/** Answers why not, in words, where it is not begun. */
export async function beginAssessment(
  tx: Transaction,
  doing: Doing,
  request: Asked,
  asker: Asker,
  wanted: WantedRisk,
): Promise<Reply[] | string> {
  const { refused } = textsOf(request);
  if (!may(asker.viewer, "assess-risk", asker.access)) return refused.assess;
  if (request.chatType !== "private") return refused.assessPlace;
  const { workspaceId } = request;
  const id = "riskId" in wanted ? wanted.riskId : null;
  const code = "code" in wanted ? wanted.code.slice(0, 60) : "";
  const [risk] = await tx.query<RiskRow>(RISK, [
    workspaceId,
    id,
    code === "" ? [] : [code, code.toUpperCase()],
    code,
  ]);
  if (risk === undefined) return refused.noRisk;
  if (risk.status === "closed") return refused.closedRisk;
  const place = placeOf(request);
  const acting = actingOf(request, asker, doing.clock());
  await holdConversation(tx, place);
  const open = await holdOpen(tx, place, acting);
  const dialog = newDialog(place, {
    machine: riskAssessment,
    state: "inherent-likelihood",
    data: emptyAssessment({ code: risk.code, title: risk.title, version: risk.version }),
    userId: acting.userId,
    language: acting.language,
    riskId: risk.id,
    nowMs: acting.nowMs,
  });
  return finish(tx, request, await begin(tx, doing, { dialog, event: null, open }, acting));
}
