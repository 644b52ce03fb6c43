import { MAX_LINK_LENGTH, MAX_LINKS } from "./links.ts";
import type { Texts } from "./texts.ts";

const by = (name: string | null): string => (name === null ? "" : ` by ${name}`);
const writing = (inReply: boolean): string =>
  inReply ? "write in reply to this message" : "write";

export const TEXTS_EN: Texts = {
  language: "en",

  answers: {
    unknown: "This button does nothing any more.",
    changed: "This card has changed since. Use the buttons that it shows now.",
    over: "This is over.",
    notYours: "Only who began this may press its buttons.",
    notReviewer: "Only who reviews evidence can decide this.",
    notAssessor: "Only compliance officers assess risks.",
    approved: "Approved.",
    rejected: "Rejected.",
  },
  refused: {
    place: "Evidence is handed in in a private chat with me, or in a group for compliance.",
    supportChat: "This chat is for support: no evidence is taken here.",
    rights:
      "You may not hand in evidence here. Somebody of your workspace can send you a link that says who you are.",
    assess: "Only compliance officers assess risks.",
    assessPlace: "Risks are assessed in a private chat with me.",
    tooLong: "That is too long: a type has at most 100 characters, a description 4,000.",
    notYours: "You have begun no such evidence, or it is submitted already.",
    noRisk: "There is no such risk.",
    closedRisk: "That risk is closed.",
  },
  usage: "Usage: /evidence [type] [description]",
  example: 'Example: /evidence document "Quarterly compliance report"',
  buttons: {
    cancel: "Cancel",
    uploadDocument: "Upload document",
    uploadPhoto: "Upload photo",
    previous: "◀ Previous",
    next: "Next ▶",
    skip: "Skip",
    submit: "Submit for review",
    chooseControl: "Choose a control",
    changeControl: "Change control",
    approve: "Approve",
    reject: "Reject",
    leave: "Leave it to others",
    yes: "Yes",
    no: "No",
    save: "Save",
    again: "Start again",
  },

  kinds: {
    video: "videos",
    video_note: "video messages",
    voice: "voice messages",
    audio: "audio files",
    animation: "animations",
    location: "places",
    venue: "places",
  },
  otherKinds: "such messages",
  notAccepted: (kinds) =>
    `Your message has arrived, but ${kinds} are not taken as evidence here. For evidence, send a document or a photo.`,
  tooLarge: (name, most) =>
    `${name === null ? "This file" : `“${name}”`} is too large: at most ${most} are taken.`,
  places: {
    live: "Of a place that moves, only where it was when you sent it is kept: what it does later is not followed.",
    none: "Your message has arrived, but where it is cannot be read from it: nothing was taken.",
  },
  linksRefused: {
    "too-many": `Nothing was taken: a message has at most ${MAX_LINKS} links. Please send them in several.`,
    "too-long": `Nothing was taken: a link has at most ${MAX_LINK_LENGTH.toLocaleString("en-US")} characters.`,
    scheme: "Nothing was taken: a link begins with https:// or http://.",
    credentials:
      "Nothing was taken: there is a name or a password in the link. Please change that password, since it was sent here, and send the link without it.",
    unseen: "Nothing was taken: there are characters in the link that nobody sees.",
    malformed: "Nothing was taken: that is not the address of a page.",
  },

  id: "ID",
  type: "Type",
  types: {
    document: "document",
    photo: "photo",
    live_photo: "live photo",
    video: "video",
    video_note: "video message",
    voice: "voice message",
    audio: "audio file",
    animation: "animation",
    location: "place",
    venue: "place",
    link: "link",
  },
  description: "Description",
  control: "Control",
  noControl: "none",
  by,
  crowdedOut: "Ended, because newer ones were begun.",

  collection: {
    title: "Evidence collection",
    selectType: "Select the type of evidence:",
    orRequests: "Or answer what was asked for.",
    created: "Evidence record created.",
    upload: (number) => `Please upload the file for evidence EV-${number}.`,
    describe: (inReply) => `What you ${writing(inReply)} before it becomes its description.`,
    received: (number) => `EV-${number}: your file was received.`,
    searched: "Searched for",
    noControlFound: "No control was found.",
    whichControl: (inReply) =>
      `Which control does it prove? Choose one, or ${writing(inReply)} a part of its code or title.`,
    furtherFiles: "Further files are added to it.",
    submitOrMore: "Submit it for review, or send further files first.",
    submitted: "Submitted for review.",
    wasSubmitted: (number) => `EV-${number} was submitted for review.`,
    wasApproved: (number, who) => `EV-${number} was approved${by(who)}.`,
    wasRejected: (number, who) => `EV-${number} was rejected${by(who)}`,
    cancelled: "Cancelled.",
    expired: "Expired: nothing came in time.",
    stays: (number) => `EV-${number} stays as it is; /evidence EV-${number} goes on with it.`,
    reminder: (number, waitsFor) => {
      const what = number === null ? "Your evidence" : `EV-${number}`;
      const step = waitsFor === "submission" ? "to be submitted for review" : "for your next step";
      return `${what} still waits ${step}. It expires soon.`;
    },
    notTaken: "What this album belongs to is over: this file was not taken.",
    gone: "That is not asked for any more.",
    controlGone: "That control is not there any more.",
    refused: {
      unknown: "That evidence is gone.",
      "not-draft": "It is submitted already, or nothing was handed in yet.",
      "no-content": "None of its files could be kept. Please send another one first.",
    },
  },

  review: {
    title: (number, revision) => `Review of EV-${number}, revision ${revision}`,
    handedIn: "Handed in",
    file: "File",
    moreFiles: (count) => `… and ${count} more`,
    waiting: (count) =>
      count === 1 ? "1 more waits for its review." : `${count} more wait for their review.`,
    manyWait: (most) => `More than ${most} others wait for their review.`,
    outcomes: {
      deciding: null,
      "awaiting-reason": "Why is it rejected? Answer this message in words.",
      approved: "Approved",
      rejected: "Rejected",
      superseded: "It is not as it was when you were asked: this card decides nothing any more.",
      left: "Left to others.",
      expired: "Nobody decided here in time. It still waits for its review.",
    },
    reminder: (number) => `EV-${number} still waits for its review.`,
    refused: {
      own: "Whoever handed it in does not approve it.",
      "not-in-review": "Somebody else has decided this.",
      superseded: "Another file came since: this card is of an older revision.",
      incomplete: "A file of it is not here yet, or could not be fetched. Try again later.",
      over: "The last day on which it counts is over. It can be approved once it has another one.",
      unknown: "That evidence is gone.",
    },
  },

  assessment: {
    title: "Risk assessment",
    inherent: "Inherent",
    residual: "Residual",
    treatment: "Treatment",
    reason: "Reason",
    hasChanged: "Somebody changed this risk since you began. Saving replaces what they said.",
    questions: {
      "inherent-likelihood":
        "How likely is it, before anything is done? 1: rare, 5: almost certain.",
      "inherent-impact": "How bad would it be, before anything is done? 1: hardly, 5: severe.",
      "asking-residual": "Is something done about it already, that leaves less of it?",
      "residual-likelihood": "How likely is what is left of it? 1: rare, 5: almost certain.",
      "residual-impact": "How bad would what is left of it be? 1: hardly, 5: severe.",
      treatment: "How is it treated?",
      "awaiting-reason": "Why is it accepted? Answer in words.",
      confirming: "Save this assessment?",
      saved: "Saved.",
      cancelled: "Cancelled: the risk is as it was.",
      expired: "Expired: the risk is as it was.",
    },
    treatments: {
      mitigate: "Mitigate",
      accept: "Accept",
      avoid: "Avoid",
      transfer: "Transfer",
    },
    saved: "Saved.",
    reminder: (code) => `Your assessment of ${code} is not saved yet. It expires soon.`,
  },
};
