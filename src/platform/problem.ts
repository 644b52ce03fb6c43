/** What is wrong with one part of a request. `path` is where, e.g. `buttons.0.text`. */
export interface ProblemField {
  path: string;
  message: string;
}

export interface ProblemOptions {
  errors?: ProblemField[];
  /** Response headers that belong to it, e.g. `Retry-After`. */
  headers?: Record<string, string>;
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

  /** `title` is the same for every problem of its kind; `detail` says what happened this time. */
  constructor(status: number, title: string, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause });
    this.status = status;
    this.title = title;
    this.detail = detail;
    if (options.errors !== undefined) this.errors = options.errors;
    if (options.headers !== undefined) this.headers = options.headers;
  }

  /** The body to send, with content type `application/problem+json`. */
  toJSON(): Record<string, unknown> {
    return {
      type: "about:blank",
      title: this.title,
      status: this.status,
      detail: this.detail,
      ...(this.errors === undefined ? {} : { errors: this.errors }),
    };
  }
}
