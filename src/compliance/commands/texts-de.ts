import type { Texts } from "./texts.ts";

const LEVELS = { critical: "Kritisch", high: "Hoch", medium: "Mittel", low: "Niedrig" } as const;

export const TEXTS_DE: Texts = {
  locale: "de-DE",

  commands: {
    compliance: "Aktuellen Compliance-Status abfragen",
    evidence: "Compliance-Nachweis einreichen",
    risk: "Risikobewertung ansehen",
    audit: "Audit anstoßen",
    reports: "Compliance-Berichte erstellen",
    help: "Verfügbare Befehle zeigen",
    start: "Beginnen und sehen, was dieser Bot tut",
    stop: "Keine Ankündigungen von uns; /start erlaubt sie wieder",
  },
  help: {
    title: "Was Sie hier tun können",
    files: "Mit einem Dokument oder Foto, das Sie schicken, beginnt ein Nachweis.",
    writing: "Alles andere, was Sie schreiben oder schicken, geht an unser Team.",
    inGroups: "Was nicht für alle hier bestimmt ist, beantworte ich in unserem privaten Chat.",
    sent: "Hier ist die Liste der Befehle.",
  },

  usage: "Aufruf",
  example: "Beispiel",
  faults: {
    "unfinished-quote":
      "Zu einem Anführungszeichen fehlt das zweite. Bitte schließen oder weglassen.",
    "too-many": "Das sind zu viele Wörter für einen Befehl.",
    "too-long": "Das ist zu lang: bitte mit höchstens 100 Zeichen.",
  },
  refused: "Dieser Bot zeigt sein Register nur Mitgliedern des Teams.",
  howToJoin:
    "Falls Sie dazugehören: Bitten Sie Ihr Team um Ihren persönlichen Link, öffnen Sie ihn, und senden Sie den Befehl noch einmal.",
  refusedShort:
    "Das ist nur für Mitglieder des Teams. Bitten Sie Ihr Team um Ihren persönlichen Link.",

  answeredInPrivate: "Ich habe Ihnen in unserem privaten Chat geantwortet.",
  cannotWriteInPrivate:
    "Die Antwort ist nicht für alle hier bestimmt, und privat kann ich Ihnen noch nicht schreiben. Öffnen Sie unseren Chat, drücken Sie auf Start, und fragen Sie mich dort.",
  openBot: "Unseren Chat öffnen",

  nothingBehindButton: "Diese Schaltfläche tut nichts mehr.",
  onlyInPrivate: "Bitte fragen Sie mich in unserem privaten Chat.",
  tooOld: "Diese Liste ist zu alt. Senden Sie den Befehl noch einmal.",
  page: (page, pages) => `Seite ${page} von ${pages}`,
  moreElsewhere: "Es gibt mehr, als hier gezeigt wird.",

  ofHundred: (score) => (score === null ? "noch ohne Wert" : `${score} von 100`),
  compliance: {
    title: "Compliance-Status",
    overall: "Gesamtwert",
    criticalIssues: "Kritische Probleme",
    openTasks: "Offene Aufgaben",
    updated: "Zuletzt aktualisiert",
    noFrameworks: "Es gibt noch keine Rahmenwerke.",
    score: "Wert",
    requirements: "Anforderungen",
    met: "Erfüllt",
    withoutControl: "Ohne Maßnahme",
    controls: "Maßnahmen",
    statuses: {
      active: "Aktiv",
      in_progress: "In Arbeit",
      to_do: "Zu tun",
      degraded: "Beeinträchtigt",
      deprecated: "Veraltet",
    },
    all: "Alle Rahmenwerke",
    unknown: (name) => `Ein Rahmenwerk namens „${name}“ kenne ich nicht.`,
    didYouMean: "Meinten Sie eines von diesen?",
    seeAll: "/compliance zeigt, welche es gibt.",
  },
  risk: {
    title: "Risikobewertung",
    total: "Gesamt",
    levels: LEVELS,
    unassessed: "Nicht bewertet",
    treatments: {
      mitigate: "mindern",
      accept: "akzeptieren",
      avoid: "vermeiden",
      transfer: "übertragen",
    },
    top: "Höchste Risiken",
    assess: (code) => `${code} bewerten`,
    ofLevel: (level) => `Risiken: ${level}`,
    none: "Keine.",
    unknownLevel: (word) => `Eine Stufe namens „${word}“ kenne ich nicht.`,
    levelsAre: "Stufen",
    levelWords: { kritisch: "critical", hoch: "high", mittel: "medium", niedrig: "low" },
  },
  audit: {
    underWay: "Laufende Audits",
    noneUnderWay: "Zurzeit läuft kein Audit.",
    statuses: { planned: "geplant", in_progress: "läuft" },
    planned: (code) => `Audit ${code} ist geplant`,
    type: "Art",
    framework: "Rahmenwerk",
    next: "Wie es weitergeht: Ihr Team bestimmt, wer es leitet und wann es stattfindet; es beginnt, wenn das Team es sagt. /audit zeigt den Stand.",
  },
  reports: {
    ready: "Bericht fertig",
    titles: {
      compliance: "Compliance-Bericht",
      risk: "Risikobericht",
      evidence: "Nachweisbericht",
      audit: "Auditbericht",
    },
    period: "Zeitraum",
    generated: "Erstellt",
    types: "Arten",
    periods: "Zeiträume",
    unknownType: (word) => `Einen Bericht namens „${word}“ kenne ich nicht.`,
    unknownPeriod: (word) => `„${word}“ ist kein Zeitraum, den ich kenne.`,
    notBegun: "Dieser Zeitraum hat noch nicht begonnen.",
    typeWords: { risiko: "risk", risiken: "risk", nachweis: "evidence", nachweise: "evidence" },
    now: "Jetzt",
    inPeriod: "In diesem Zeitraum",
    figures: {
      findingsRecorded: "Feststellungen erfasst",
      auditsPlanned: "Audits geplant",
      auditsUnderWay: "Laufende Audits",
      auditsRecorded: "Audits angestoßen",
      risksRecorded: "Risiken erfasst",
      risksAccepted: "Risiken akzeptiert",
      evidenceHandedIn: "Eingereicht",
      evidenceApproved: "Genehmigt",
      evidenceRejected: "Abgelehnt",
      evidenceInReview: "Warten auf Prüfung",
    },
    moreThan: (count) => `mehr als ${count}`,
  },

  wordsNotTaken: "Danke, Ihre Nachricht ist angekommen. Unser Team antwortet hier.",
};
