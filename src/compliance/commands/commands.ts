import { randomUUID } from "node:crypto";
import type { Clock, Transaction } from "../../platform/index.ts";
import {
  frameworkControls,
  nearFrameworks,
  RISK_LEVELS,
  type RiskLevel,
  readFrameworkScore,
  readSummary,
  topRisks,
} from "../../register/index.ts";
import type { Asker, RequestHandler, RequestOf } from "../request-sink.ts";
import { may } from "../rights.ts";
import { type Answer, canBeTold, deliver, openly } from "./answer.ts";
import { parseArguments } from "./arguments.ts";
import { answerAudit } from "./audit-command.ts";
import { chooseFramework } from "./choose-framework.ts";
import { commandNamed } from "./command-list.ts";
import { frameworkPage, overviewPage, unknownFramework } from "./compliance-pages.ts";
import { helpText } from "./help.ts";
import { escaped, inLine } from "./html.ts";
import { answerReports } from "./reports-command.ts";
import { levelNamed, levelPage, pageOfRisks, RISKS_A_PAGE, risksPage } from "./risk-pages.ts";
import { type Texts, textsFor } from "./texts.ts";
import { usageOf } from "./usage.ts";

/** A name, a type, a level: more is none. In characters as people count them. */
const MAX_NAME = 100;

/**
 * Answers `/compliance`, `/risk`, `/audit`, `/reports` and `/help`. Whatever is typed is answered in
 * words; what it throws are faults.
 */
export function createCommandHandler(clock: Clock): RequestHandler<RequestOf<"command">> {
  return async (tx, request, asker) => {
    const texts = textsFor(request.user.languageCode);
    const answer = await answerTo(tx, request, { asker, texts, nowMs: clock() });
    return deliver(tx, request, { asker, texts, answer });
  };
}

async function answerTo(
  tx: Transaction,
  request: RequestOf<"command">,
  { asker, texts, nowMs }: { asker: Asker; texts: Texts; nowMs: number },
): Promise<Answer> {
  const { name, args, workspaceId, chatType, purpose } = request;
  if (name === "help") {
    return openly(helpText(texts, asker, { isPrivate: chatType === "private", purpose }));
  }
  const deed = commandNamed(name)?.deed ?? null;
  if (deed !== null && !may(asker.viewer, deed, asker.access)) {
    return openly(`${escaped(texts.refused)}\n${escaped(texts.howToJoin)}`);
  }
  const parsed = parseArguments(args);
  if ("fault" in parsed) return faulty(texts, name, parsed.fault);
  const { words } = parsed;
  const whole = inLine(words.join(" "), Number.POSITIVE_INFINITY);
  if (Array.from(whole).length > MAX_NAME) return faulty(texts, name, "too-long");
  switch (name) {
    case "compliance":
      return whole === ""
        ? overviewPage(texts, await readSummary(tx, workspaceId), firstPage())
        : answerFramework(tx, workspaceId, { texts, name: whole });
    case "risk":
      return answerRisk(tx, workspaceId, { texts, word: whole, mayAssess: mayAssess(asker) });
    case "audit":
      // Told to ask again elsewhere, they would plan another one there.
      if (whole !== "" && !(await canBeTold(tx, request))) return { html: "", isPersonal: true };
      return answerAudit(tx, workspaceId, { texts, type: whole });
    case "reports":
      return answerReports(tx, workspaceId, { texts, words, nowMs });
    default:
      return openly(usageOf(texts, name));
  }
}

export const mayAssess = ({ viewer, access }: Asker): boolean => may(viewer, "assess-risk", access);

const firstPage = () => ({ page: 0, shownId: randomUUID() });

const faulty = (texts: Texts, name: string, fault: keyof Texts["faults"]): Answer =>
  openly(`${escaped(texts.faults[fault])}\n\n${usageOf(texts, name)}`);

async function answerFramework(
  tx: Transaction,
  workspaceId: string,
  { texts, name }: { texts: Texts; name: string },
): Promise<Answer> {
  const candidates = await nearFrameworks(tx, { workspaceId, name });
  const choice = chooseFramework(name, candidates);
  const shownId = randomUUID();
  if ("near" in choice) return unknownFramework(texts, name, { near: choice.near, shownId });
  const page = await showFramework(tx, workspaceId, { texts, id: choice.found.id, shownId });
  return page ?? unknownFramework(texts, name, { near: [], shownId });
}

/** Null when there is none. */
export async function showFramework(
  tx: Transaction,
  workspaceId: string,
  { texts, id, shownId }: { texts: Texts; id: string; shownId: string },
): Promise<Answer | null> {
  const framework = await frameworkControls(tx, { workspaceId, id });
  const scored = await readFrameworkScore(tx, { workspaceId, id });
  if (framework === null || scored === null) return null;
  return frameworkPage(texts, framework, { scored, shownId });
}

async function answerRisk(
  tx: Transaction,
  workspaceId: string,
  { texts, word, mayAssess }: { texts: Texts; word: string; mayAssess: boolean },
): Promise<Answer> {
  const words = texts.risk;
  const shownId = randomUUID();
  if (word === "") {
    const summary = await readSummary(tx, workspaceId);
    const top = await topRisks(tx, workspaceId, { limit: RISKS_A_PAGE });
    return risksPage(texts, summary, { top, shownId, mayAssess });
  }
  const level = levelNamed(word);
  if (level === null) {
    const known = RISK_LEVELS.map((one) => words.levels[one].toLowerCase()).join(", ");
    const fault = escaped(words.unknownLevel(inLine(word)));
    const levels = `${escaped(words.levelsAre)}: ${escaped(known)}`;
    return openly(`${fault}\n${levels}\n\n${usageOf(texts, "risk")}`);
  }
  return showRisks(tx, workspaceId, { texts, level, page: 0, shownId, mayAssess });
}

/** A page that there is not is the last one. */
export async function showRisks(
  tx: Transaction,
  workspaceId: string,
  shown: { texts: Texts; level: RiskLevel; page: number; shownId: string; mayAssess: boolean },
): Promise<Answer & { page: number; pages: number }> {
  const { texts, level, shownId, mayAssess } = shown;
  const summary = await readSummary(tx, workspaceId);
  const { page, pages } = pageOfRisks(summary.risks[level], shown.page);
  const offset = page * RISKS_A_PAGE;
  const top = await topRisks(tx, workspaceId, { limit: RISKS_A_PAGE, level, offset });
  return { ...levelPage(texts, summary, { level, top, page, shownId, mayAssess }), page, pages };
}
