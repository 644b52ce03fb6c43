/** What is wrong with a place in a file, in words that repeat nothing of what stands there. */
export interface ImportProblem {
  /** As an editor counts them, from 1: where the entry begins. */
  line: number;
  /** Null: it is about the whole entry, or the file. */
  column: string | null;
  message: string;
  /** Of the entry, where it could be read. */
  code?: string;
}

/** More are counted, and not listed. */
export const MAX_LISTED_PROBLEMS = 1_000;

/** All that is wrong with a file. */
export class ProblemList {
  private readonly kept: ImportProblem[] = [];
  private found = 0;

  get count(): number {
    return this.found;
  }

  /** In the order of the file. */
  get listed(): ImportProblem[] {
    return this.kept.toSorted((a, b) => a.line - b.line);
  }

  add(problem: ImportProblem): void {
    this.found++;
    if (this.kept.length < MAX_LISTED_PROBLEMS) this.kept.push(problem);
  }

  /** Those found so far, to go on from more than once: a transaction may be tried again. */
  copy(): ProblemList {
    const copy = new ProblemList();
    copy.kept.push(...this.kept);
    copy.found = this.found;
    return copy;
  }
}
