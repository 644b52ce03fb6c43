import type { Transaction } from "../../platform/index.ts";
import {
  countAuditsUnderWay,
  MOST_COUNTED,
  readSummary,
  recordedWithin,
  risksWithin,
  topRisks,
  type Within,
} from "../../register/index.ts";
import { type Answer, openly } from "./answer.ts";
import { countOf, scoreOf, standing } from "./compliance-pages.ts";
import { evidenceWithin } from "./evidence-figures.ts";
import { bold, code, escaped, inLine, minuteOf } from "./html.ts";
import { dayNamed, lastDayOf, type Period, parsePeriod } from "./period.ts";
import { counts, listed } from "./risk-pages.ts";
import { ALL_TEXTS, type ReportType, type Texts } from "./texts.ts";
import { usageOf } from "./usage.ts";

/** A message holds no more: whoever wants all of them reads the register. */
const FRAMEWORKS_SHOWN = 10;
const RISKS_SHOWN = 5;
const PERIODS = "today, week, month, quarter, year, 2026-Q3, 2026-07";
const TYPES: readonly ReportType[] = ["compliance", "risk", "evidence", "audit"];

/** In any language, whatever its case; null: none. */
export function reportTypeNamed(word: string): ReportType | null {
  const name = word.trim().toLowerCase();
  for (const { reports } of ALL_TEXTS) {
    if (Object.hasOwn(reports.typeWords, name)) return reports.typeWords[name] ?? null;
  }
  return null;
}

/** What `/reports` was asked for, or in which words it cannot be made. */
export function readReport(
  texts: Texts,
  [typeWord, periodWord]: readonly string[],
  nowMs: number,
): { type: ReportType; period: Period } | { html: string } {
  const words = texts.reports;
  const told = (fault: string | null): { html: string } => ({
    html: [
      ...(fault === null ? [] : [escaped(fault), ""]),
      usageOf(texts, "reports"),
      `${escaped(words.types)}: ${TYPES.join(", ")}`,
      `${escaped(words.periods)}: ${PERIODS} (UTC)`,
    ].join("\n"),
  });
  if (typeWord === undefined) return told(null);
  const type = reportTypeNamed(typeWord);
  if (type === null) return told(words.unknownType(inLine(typeWord)));
  if (periodWord === undefined) return told(null);
  const period = parsePeriod(periodWord, nowMs);
  if (period === null) return told(words.unknownPeriod(inLine(periodWord)));
  return period.from.getTime() > nowMs ? told(words.notBegun) : { type, period };
}

/** A report as a message, in the shape of those that are sent when one is ready. */
export async function answerReports(
  tx: Transaction,
  workspaceId: string,
  { texts, words, nowMs }: { texts: Texts; words: readonly string[]; nowMs: number },
): Promise<Answer> {
  const wanted = readReport(texts, words, nowMs);
  if ("html" in wanted) return openly(wanted.html);
  const { type, period } = wanted;
  const { from, until, label } = period;
  const figures = await FIGURES[type](tx, texts, { workspaceId, from, until });
  const days = `${dayNamed(from)} – ${dayNamed(lastDayOf(period))}, UTC`;
  const html = [
    `📊 ${bold(texts.reports.ready)}`,
    bold(texts.reports.titles[type]),
    `${escaped(texts.reports.period)}: ${label} (${days})`,
    `${escaped(texts.reports.generated)}: ${minuteOf(new Date(nowMs))}`,
    "",
    ...figures,
  ].join("\n");
  return { html, isPersonal: true };
}

/** Lines of HTML. */
type Figures = (tx: Transaction, texts: Texts, within: Within) => Promise<string[]>;

const FIGURES: Record<ReportType, Figures> = {
  compliance: async (tx, texts, within) => {
    const summary = await readSummary(tx, within.workspaceId);
    const { findings, audits } = await recordedWithin(tx, within);
    const { figures } = texts.reports;
    const frameworks = summary.frameworks
      .slice(0, FRAMEWORKS_SHOWN)
      .map(({ title, score }) => `• ${escaped(inLine(title))}: ${scoreOf(texts, score)}`);
    const isCut = summary.frameworks.length > FRAMEWORKS_SHOWN;
    return [
      ...nowHead(texts),
      ...standing(texts, summary),
      ...frameworks,
      ...(isCut ? [escaped(texts.moreElsewhere)] : []),
      ...periodHead(texts),
      ...lines(texts, [
        [figures.findingsRecorded, findings],
        [figures.auditsRecorded, audits],
      ]),
    ];
  },
  risk: async (tx, texts, within) => {
    const { workspaceId } = within;
    const { risks } = await readSummary(tx, workspaceId);
    const top = await topRisks(tx, workspaceId, { limit: RISKS_SHOWN });
    const { recorded, accepted } = await risksWithin(tx, within);
    const { figures } = texts.reports;
    return [
      ...nowHead(texts),
      ...counts(texts, risks),
      "",
      bold(texts.risk.top),
      ...listed(texts, top, 0),
      ...periodHead(texts),
      ...lines(texts, [
        [figures.risksRecorded, recorded],
        [figures.risksAccepted, accepted],
      ]),
    ];
  },
  evidence: async (tx, texts, within) => {
    const { handedIn, approved, rejected, inReview } = await evidenceWithin(tx, within);
    const { figures } = texts.reports;
    return [
      ...nowHead(texts),
      ...lines(texts, [[figures.evidenceInReview, inReview]]),
      ...periodHead(texts),
      ...lines(texts, [
        [figures.evidenceHandedIn, handedIn],
        [figures.evidenceApproved, approved],
        [figures.evidenceRejected, rejected],
      ]),
    ];
  },
  audit: async (tx, texts, within) => {
    const { planned, inProgress } = await countAuditsUnderWay(tx, within.workspaceId);
    const { findings, audits } = await recordedWithin(tx, within);
    const { figures } = texts.reports;
    return [
      ...nowHead(texts),
      ...lines(texts, [
        [figures.auditsPlanned, planned],
        [figures.auditsUnderWay, inProgress],
      ]),
      ...periodHead(texts),
      ...lines(texts, [
        [figures.auditsRecorded, audits],
        [figures.findingsRecorded, findings],
      ]),
    ];
  },
};

const nowHead = (texts: Texts) => [bold(texts.reports.now)];
const periodHead = (texts: Texts) => ["", bold(texts.reports.inPeriod)];

const lines = (texts: Texts, figures: readonly [name: string, count: number][]) =>
  figures.map(([name, count]) => `${escaped(name)}: ${code(boundedCount(texts, count))}`);

function boundedCount(texts: Texts, count: number): string {
  if (count <= MOST_COUNTED) return countOf(texts, count);
  return texts.reports.moreThan(countOf(texts, MOST_COUNTED));
}
