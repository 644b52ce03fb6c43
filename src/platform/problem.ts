/** What is wrong with one part of a request. `path` is where, e.g. `buttons.0.text`. */
export interface ProblemField {
  path: string;
  message: string;
}

export interface ProblemOptions {
  errors?: ProblemField[];
  /** Response headers that belong to it, e.g. `Retry-After`. */
  headers?: Record<string, string>;
  /** Further members of the answer (RFC 9457: extension members). */
  members?: Record<string, unknown>;
  cause?: unknown;
}

/**
 * An answer that is not the one asked for, in the words of its reader: RFC 9457,
 * `application/problem+json`. Thrown anywhere below a request; the HTTP layer sends it.
 */
export class Problem extends Error {
  override name = "Problem";
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors?: ProblemField[];
  readonly headers?: Record<string, string>;
  readonly members?: Record<string, unknown>;

  /** `title` is the same for every problem of its kind; `detail` says what happened this time. */
  constructor(status: number, title: string, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause });
    this.status = status;
    this.title = title;
    this.detail = detail;
    if (options.errors !== undefined) this.errors = options.errors;
    if (options.headers !== undefined) this.headers = options.headers;
    if (options.members !== undefined) this.members = options.members;
  }

  /** The body to send, with content type `application/problem+json`. */
  toJSON(): Record<string, unknown> {
    return {
      ...this.members,
      type: "about:blank",
      title: this.title,
      status: this.status,
      detail: this.detail,
      ...(this.errors === undefined ? {} : { errors: this.errors }),
    };
  }
}
