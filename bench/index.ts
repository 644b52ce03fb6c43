import type { Figure } from "./figure.ts";
import { accepted } from "./figures/accepted.ts";
import { backlog } from "./figures/backlog.ts";
import { choice } from "./figures/choice.ts";
import { commandLatency } from "./figures/command-latency.ts";
import { endToEnd } from "./figures/end-to-end.ts";
import { fairness } from "./figures/fairness.ts";
import { flameGraphs } from "./figures/flame-graphs.ts";
import { importFigure } from "./figures/import.ts";
import { inlineSearch } from "./figures/inline-search.ts";
import { largeFileFromDisk, largeFileOverHttp } from "./figures/large-file.ts";
import { millionJobs } from "./figures/million-jobs.ts";
import { openLoopLatency } from "./figures/open-loop.ts";
import { photos } from "./figures/photos.ts";
import { recovery } from "./figures/recovery.ts";
import { registerCommands } from "./figures/register-commands.ts";
import { secondStart } from "./figures/second-start.ts";
import { SENDING_FIGURES } from "./figures/sending/index.ts";
import { tenants } from "./figures/tenants.ts";
import { wrongSecrets } from "./figures/wrong-secrets.ts";
import { LEDGER_FIGURES } from "./ledger.ts";

const FIGURES: Record<string, () => Promise<Figure>> = {
  accepted,
  "end-to-end": endToEnd,
  "command-latency": commandLatency,
  "register-commands": registerCommands,
  recovery,
  "second-start": secondStart,
  fairness,
  "open-loop": openLoopLatency,
  backlog,
  "wrong-secrets": wrongSecrets,
  tenants,
  "million-jobs": millionJobs,
  choice,
  import: importFigure,
  "large-file-from-disk": largeFileFromDisk,
  "large-file-over-http": largeFileOverHttp,
  photos,
  "inline-search": inlineSearch,
  ...LEDGER_FIGURES,
  ...SENDING_FIGURES,
  "flame-graphs": flameGraphs,
};
/** Writes files of the project. */
const BY_NAME_ONLY = ["flame-graphs", "send-many-bots-profile"];

/**
 * bench: the figures, each beside its baseline measured in the same run. Prints a JSON line a
 * figure; `names` chooses some of them. Starts everything it needs in a temporary folder.
 */
export async function bench(names: string[]): Promise<void> {
  const unknown = names.filter((name) => FIGURES[name] === undefined);
  if (unknown.length > 0) {
    throw new Error(
      `no figure ${unknown.join(", ")}; there are: ${Object.keys(FIGURES).join(", ")}`,
    );
  }
  for (const [name, measure] of Object.entries(FIGURES)) {
    const wanted = names.length > 0 ? names.includes(name) : !BY_NAME_ONLY.includes(name);
    if (!wanted) continue;
    process.stdout.write(`${JSON.stringify(await measure())}\n`);
  }
}
