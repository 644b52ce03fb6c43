import type { EvidenceState } from "../../evidence/index.ts";
import type { Language } from "../../platform/index.ts";
import type { CONTROL_STATUSES, SearchKind } from "../../register/index.ts";

type Status = (typeof CONTROL_STATUSES)[number] | EvidenceState | "open" | "closed";

/** What is said beside what was found, in one language. */
export interface Texts {
  kinds: Record<SearchKind, string>;
  /** As lists have them, in which they stand behind a kind. */
  statuses: Record<Status, string>;
  /** On a button, for those who may not look. */
  noAccess: string;
}

const TEXTS: Record<Language, Texts> = {
  en: {
    kinds: { control: "Control", evidence: "Evidence", risk: "Risk" },
    statuses: {
      to_do: "to do",
      in_progress: "in progress",
      active: "active",
      degraded: "degraded",
      deprecated: "deprecated",
      requested: "requested",
      draft: "draft",
      in_review: "in review",
      approved: "approved",
      rejected: "rejected",
      expired: "expired",
      open: "open",
      closed: "closed",
    },
    noAccess: "You cannot search here. Open the bot",
  },
  de: {
    kinds: { control: "Maßnahme", evidence: "Nachweis", risk: "Risiko" },
    statuses: {
      to_do: "zu tun",
      in_progress: "in Arbeit",
      active: "aktiv",
      degraded: "beeinträchtigt",
      deprecated: "veraltet",
      requested: "angefordert",
      draft: "Entwurf",
      in_review: "in Prüfung",
      approved: "genehmigt",
      rejected: "abgelehnt",
      expired: "abgelaufen",
      open: "offen",
      closed: "geschlossen",
    },
    noAccess: "Hier können Sie nicht suchen. Bot öffnen",
  },
};

export const textsIn = (language: Language): Texts => TEXTS[language];
