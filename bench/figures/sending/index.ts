import type { Figure } from "../../figure.ts";
import { criticalAlert } from "./critical-alert.ts";
import { documentedLimits } from "./documented.ts";
import { faults } from "./faults.ts";
import { groupsAndPeople } from "./groups.ts";
import { hiddenLimit } from "./hidden-limit.ts";
import { kills } from "./kills.ts";
import { manyBots, manyBotsProfile } from "./many-bots.ts";
import { neighbour } from "./neighbour.ts";

/** What sending reaches, beside what a user would write first. */
export const SENDING_FIGURES: Record<string, () => Promise<Figure>> = {
  "send-documented": documentedLimits,
  "send-hidden-limit": hiddenLimit,
  "send-groups": groupsAndPeople,
  "send-critical": criticalAlert,
  "send-neighbour": neighbour,
  "send-many-bots": manyBots,
  "send-many-bots-profile": manyBotsProfile,
  "send-kills": kills,
  "send-faults": faults,
};
