import { MAX_LINK_LENGTH, MAX_LINKS } from "./links.ts";
import type { Texts } from "./texts.ts";

const by = (name: string | null): string => (name === null ? "" : ` von ${name}`);
const inReplyTo = (inReply: boolean): string => (inReply ? " als Antwort auf diese Nachricht" : "");

export const TEXTS_DE: Texts = {
  language: "de",

  answers: {
    unknown: "Diese Schaltfläche tut nichts mehr.",
    changed:
      "Diese Karte hat sich inzwischen geändert. Nutzen Sie die Schaltflächen, die sie jetzt zeigt.",
    over: "Das ist abgeschlossen.",
    notYours: "Nur wer das begonnen hat, kann diese Schaltflächen nutzen.",
    notReviewer: "Nur wer Nachweise prüft, kann das entscheiden.",
    notAssessor: "Nur Compliance-Beauftragte bewerten Risiken.",
    approved: "Genehmigt.",
    rejected: "Abgelehnt.",
  },
  refused: {
    place:
      "Nachweise werden in einem privaten Chat mit mir oder in einer Compliance-Gruppe eingereicht.",
    supportChat: "Dieser Chat ist für den Support: Nachweise werden hier nicht angenommen.",
    rights:
      "Sie können hier keine Nachweise einreichen. Ihr Team kann Ihnen einen persönlichen Link schicken, der sagt, wer Sie sind.",
    assess: "Nur Compliance-Beauftragte bewerten Risiken.",
    assessPlace: "Risiken werden in einem privaten Chat mit mir bewertet.",
    tooLong: "Das ist zu lang: Eine Art hat höchstens 100 Zeichen, eine Beschreibung 4.000.",
    notYours: "Einen solchen Nachweis haben Sie nicht begonnen, oder er ist schon eingereicht.",
    noRisk: "Ein solches Risiko gibt es nicht.",
    closedRisk: "Dieses Risiko ist geschlossen.",
  },
  usage: "Aufruf: /evidence [Art] [Beschreibung]",
  example: 'Beispiel: /evidence Dokument "Compliance-Bericht zum Quartal"',
  buttons: {
    cancel: "Abbrechen",
    uploadDocument: "Dokument hochladen",
    uploadPhoto: "Foto hochladen",
    previous: "◀ Zurück",
    next: "Weiter ▶",
    skip: "Überspringen",
    submit: "Zur Prüfung einreichen",
    chooseControl: "Maßnahme wählen",
    changeControl: "Maßnahme ändern",
    approve: "Genehmigen",
    reject: "Ablehnen",
    leave: "Anderen überlassen",
    yes: "Ja",
    no: "Nein",
    save: "Speichern",
    again: "Neu beginnen",
  },

  kinds: {
    video: "Videos",
    video_note: "Videonachrichten",
    voice: "Sprachnachrichten",
    audio: "Audiodateien",
    animation: "Animationen",
    location: "Orte",
    venue: "Orte",
  },
  otherKinds: "solche Nachrichten",
  notAccepted: (kinds) =>
    `Ihre Nachricht ist angekommen, aber ${kinds} werden hier nicht als Nachweis angenommen. Schicken Sie als Nachweis ein Dokument oder ein Foto.`,
  tooLarge: (name, most) =>
    `${name === null ? "Diese Datei" : `„${name}“`} ist zu groß: Angenommen werden höchstens ${most}.`,
  places: {
    live: "Von einem Ort, der sich bewegt, wird nur aufbewahrt, wo er war, als Sie ihn geschickt haben: Was danach kommt, wird nicht verfolgt.",
    none: "Ihre Nachricht ist angekommen, aber der Ort darin ist nicht zu lesen: Es wurde nichts angenommen.",
  },
  linksRefused: {
    "too-many": `Es wurde nichts angenommen: Eine Nachricht hat höchstens ${MAX_LINKS} Links. Bitte schicken Sie sie in mehreren.`,
    "too-long": `Es wurde nichts angenommen: Ein Link hat höchstens ${MAX_LINK_LENGTH.toLocaleString("de-DE")} Zeichen.`,
    scheme: "Es wurde nichts angenommen: Ein Link beginnt mit https:// oder http://.",
    credentials:
      "Es wurde nichts angenommen: In dem Link steht ein Name oder ein Passwort. Bitte ändern Sie dieses Passwort, denn es wurde hierher geschickt, und schicken Sie den Link ohne es.",
    unseen: "Es wurde nichts angenommen: In dem Link stehen Zeichen, die niemand sieht.",
    malformed: "Es wurde nichts angenommen: Das ist nicht die Adresse einer Seite.",
  },

  id: "ID",
  type: "Art",
  types: {
    document: "Dokument",
    photo: "Foto",
    live_photo: "Live-Foto",
    video: "Video",
    video_note: "Videonachricht",
    voice: "Sprachnachricht",
    audio: "Audiodatei",
    animation: "Animation",
    location: "Ort",
    venue: "Ort",
    link: "Link",
  },
  description: "Beschreibung",
  control: "Maßnahme",
  noControl: "keine",
  by,
  crowdedOut: "Beendet, weil neuere begonnen wurden.",

  collection: {
    title: "Nachweis einreichen",
    selectType: "Wählen Sie die Art des Nachweises:",
    orRequests: "Oder reichen Sie ein, was angefordert wurde.",
    created: "Der Nachweis ist angelegt.",
    upload: (number) => `Bitte laden Sie die Datei für den Nachweis EV-${number} hoch.`,
    describe: (inReply) =>
      `Was Sie davor${inReplyTo(inReply)} schreiben, wird die Beschreibung des Nachweises.`,
    received: (number) => `EV-${number}: Ihre Datei ist angekommen.`,
    searched: "Gesucht nach",
    noControlFound: "Es wurde keine Maßnahme gefunden.",
    whichControl: (inReply) =>
      `Welche Maßnahme belegt der Nachweis? Wählen Sie eine aus, oder schreiben Sie${inReplyTo(inReply)} einen Teil ihres Kürzels oder Titels.`,
    furtherFiles: "Weitere Dateien kommen zu diesem Nachweis hinzu.",
    submitOrMore:
      "Reichen Sie den Nachweis zur Prüfung ein, oder schicken Sie zuerst weitere Dateien.",
    submitted: "Zur Prüfung eingereicht.",
    wasSubmitted: (number) => `EV-${number} wurde zur Prüfung eingereicht.`,
    wasApproved: (number, who) => `EV-${number} wurde${by(who)} genehmigt.`,
    wasRejected: (number, who) => `EV-${number} wurde${by(who)} abgelehnt`,
    cancelled: "Abgebrochen.",
    expired: "Abgelaufen: Es kam rechtzeitig nichts mehr.",
    stays: (number) =>
      `EV-${number} bleibt, wie er ist; mit /evidence EV-${number} setzen Sie ihn fort.`,
    reminder: (number, waitsFor) => {
      const what = number === null ? "Ihr Nachweis" : `EV-${number}`;
      const step =
        waitsFor === "submission"
          ? "ist noch nicht zur Prüfung eingereicht"
          : "wartet noch auf Ihren nächsten Schritt";
      return `${what} ${step}. Die Frist dafür läuft bald ab.`;
    },
    notTaken: "Wozu dieses Album gehört, ist abgeschlossen: Diese Datei wurde nicht angenommen.",
    gone: "Das wird nicht mehr angefordert.",
    controlGone: "Diese Maßnahme gibt es nicht mehr.",
    refused: {
      unknown: "Diesen Nachweis gibt es nicht mehr.",
      "not-draft": "Der Nachweis ist schon eingereicht, oder es fehlt noch eine Datei.",
      "no-content":
        "Keine Datei dieses Nachweises konnte aufbewahrt werden. Bitte schicken Sie zuerst eine andere.",
    },
  },

  review: {
    title: (number, revision) => `Prüfung von EV-${number}, Revision ${revision}`,
    handedIn: "Eingereicht",
    file: "Datei",
    moreFiles: (count) => `… und ${count} weitere`,
    waiting: (count) =>
      count === 1
        ? "1 weiterer Nachweis wartet auf seine Prüfung."
        : `${count} weitere Nachweise warten auf ihre Prüfung.`,
    manyWait: (most) => `Mehr als ${most} weitere Nachweise warten auf ihre Prüfung.`,
    outcomes: {
      deciding: null,
      "awaiting-reason":
        "Warum wird der Nachweis abgelehnt? Antworten Sie in Worten auf diese Nachricht.",
      approved: "Genehmigt",
      rejected: "Abgelehnt",
      superseded:
        "Der Nachweis ist nicht mehr so, wie er Ihnen vorgelegt wurde: Diese Karte entscheidet nichts mehr.",
      left: "Anderen überlassen.",
      expired:
        "Hier wurde nicht rechtzeitig entschieden. Der Nachweis wartet weiter auf seine Prüfung.",
    },
    reminder: (number) => `EV-${number} wartet noch auf seine Prüfung.`,
    refused: {
      own: "Wer einen Nachweis einreicht, genehmigt ihn nicht selbst.",
      "not-in-review": "Das hat schon jemand anderes entschieden.",
      superseded:
        "Inzwischen kam eine weitere Datei: Diese Karte gehört zu einer älteren Revision.",
      incomplete:
        "Eine Datei des Nachweises ist noch nicht da oder konnte nicht geholt werden. Versuchen Sie es später noch einmal.",
      over: "Der letzte Tag, an dem der Nachweis gilt, ist vorbei. Er kann genehmigt werden, sobald er einen neuen hat.",
      unknown: "Diesen Nachweis gibt es nicht mehr.",
    },
  },

  assessment: {
    title: "Risikobewertung",
    inherent: "Inhärentes Risiko",
    residual: "Restrisiko",
    treatment: "Behandlung",
    reason: "Begründung",
    hasChanged:
      "Jemand hat dieses Risiko geändert, seit Sie begonnen haben. Wenn Sie speichern, ersetzt das die Änderung.",
    questions: {
      "inherent-likelihood":
        "Wie wahrscheinlich ist es, bevor etwas dagegen getan wird? 1: selten, 5: fast sicher.",
      "inherent-impact":
        "Wie schlimm wäre es, bevor etwas dagegen getan wird? 1: kaum, 5: schwerwiegend.",
      "asking-residual": "Wird schon etwas dagegen getan, sodass weniger davon bleibt?",
      "residual-likelihood": "Wie wahrscheinlich ist, was davon bleibt? 1: selten, 5: fast sicher.",
      "residual-impact": "Wie schlimm wäre, was davon bleibt? 1: kaum, 5: schwerwiegend.",
      treatment: "Wie wird es behandelt?",
      "awaiting-reason": "Warum wird es akzeptiert? Antworten Sie in Worten.",
      confirming: "Diese Bewertung speichern?",
      saved: "Gespeichert.",
      cancelled: "Abgebrochen: Das Risiko ist, wie es war.",
      expired: "Abgelaufen: Das Risiko ist, wie es war.",
    },
    treatments: {
      mitigate: "Mindern",
      accept: "Akzeptieren",
      avoid: "Vermeiden",
      transfer: "Übertragen",
    },
    saved: "Gespeichert.",
    reminder: (code) =>
      `Ihre Bewertung von ${code} ist noch nicht gespeichert. Die Frist dafür läuft bald ab.`,
  },
};
