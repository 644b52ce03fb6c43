import type { Texts } from "./texts.ts";

const SEND_AGAIN = "Bitte schicken Sie die Datei noch einmal.";

export const TEXTS_DE: Texts = {
  language: "de",
  uploaded: "Hochgeladen",
  notAccepted: "Nicht angenommen",
  isNotAccepted: "nicht angenommen",
  ofFiles: (stored, all) => `${stored} von ${all} ${all === 1 ? "Datei" : "Dateien"}`,
  size: "Größe",
  evidence: "Nachweis",
  faults: {
    "rate-limited": `Telegram hat zu lange warten lassen. ${SEND_AGAIN}`,
    "telegram-away": `Telegram war nicht erreichbar. ${SEND_AGAIN}`,
    "token-refused":
      "Telegram weist das Token des Bots zurück, deshalb konnte die Datei nicht geholt werden.",
    "connector-removed": "Der Bot wurde getrennt, bevor die Datei geholt war.",
    "broken-off": `Die Verbindung zu Telegram ist immer wieder abgebrochen. ${SEND_AGAIN}`,
    changed: `Telegram hat für die Datei mehrmals eine andere Größe geliefert als angekündigt: Nichts davon wurde gespeichert. ${SEND_AGAIN}`,
    "not-there": `Telegram hat die Datei nicht mehr. ${SEND_AGAIN}`,
    "too-large-for-bots":
      "Telegram gibt Bots nur Dateien bis 20 MB. Bitte schicken Sie eine kleinere Datei, oder geben Sie diese dem Team auf anderem Weg.",
    unreadable:
      "Die Datei liegt beim Bot-API-Server und kann dort nicht gelesen werden: Sein Ordner muss hier lesbar sein.",
    "store-away":
      "Die Datei konnte nicht gespeichert werden. Sie kann noch einmal geholt werden, sobald der Speicher wieder arbeitet.",
    "disk-full":
      "Für die Datei war kein Platz. Sie kann noch einmal geholt werden, sobald welcher da ist.",
    "in-use": `Die Datei konnte nicht geholt werden. ${SEND_AGAIN}`,
    "scanner-away":
      "Der Virenscanner hat nicht geantwortet, und ungeprüft wird nichts gespeichert. Die Datei kann noch einmal geholt werden, sobald er antwortet.",
    "scanner-refused":
      "Der Virenscanner konnte die Datei nicht prüfen, und ungeprüft wird nichts gespeichert.",
    "too-large":
      "Die Datei ist größer, als hier angenommen wird. Bitte schicken Sie eine kleinere.",
    empty: "Die Datei ist leer. Bitte sehen Sie nach, und schicken Sie sie noch einmal.",
    "type-not-taken":
      "Dateien dieses Typs werden hier nicht angenommen, gleich wie ihr Name lautet.",
    stopped: SEND_AGAIN,
    gone: "Die Datei wird nicht mehr gebraucht.",
    unknown: `Die Datei konnte nicht geholt werden. ${SEND_AGAIN}`,
    harmful:
      "Der Virenscanner hält die Datei für schädlich. Sie wird getrennt aufbewahrt, und niemand bekommt sie.",
    "given-up":
      "Die Datei wurde von Hand aufgegeben, bevor sie geholt war. Bitte schicken Sie sie noch einmal, falls sie noch gebraucht wird.",
    "content-gone": `Der Inhalt der Datei wurde entfernt, bevor er vermerkt war. ${SEND_AGAIN}`,
  },
  tooLarge: (most) =>
    `Die Datei ist größer als die ${most}, die hier angenommen werden. Bitte schicken Sie eine kleinere.`,
  typeNotTaken: (contentType) =>
    `Dateien dieses Typs (${contentType}) werden hier nicht angenommen, gleich wie ihr Name lautet.`,
  harmful: (finding) =>
    `Der Virenscanner hält die Datei für schädlich (${finding}). Sie wird getrennt aufbewahrt, und niemand bekommt sie.`,
};
