import express, { type NextFunction, type Request, type Response, Router } from "express";
import {
  clientNetwork,
  equalSecrets,
  type FailureLimit,
  type Logger,
  systemClock,
} from "../platform/index.ts";
import { sendPage } from "./page-files.ts";
import { isSameOrigin } from "./same-origin.ts";
import {
  cookieOf,
  newSession,
  SESSION_COOKIE,
  SESSION_MS,
  sessionEndMs,
  sessionKeyOf,
} from "./session.ts";

/** Who is in: asked by everything of the console but its files and the sign-in page. */
export interface SignIn {
  /** The sign-in page, signing in and out. */
  router: Router;
  /** When the session of this request ends; null without a valid one. */
  endMs(request: Request): number | null;
  /** Lets signed-in operators through; others get the sign-in page, or 401 where data was asked. */
  guard(request: Request, response: Response, next: NextFunction): void;
}

const NOT_CONFIGURED = `<h1>The console is locked</h1>
<p>Nobody can sign in, because this installation has no administrator's token.</p>
<p>Set <code>ADMIN_TOKEN</code> in the environment of the web process to a long random text of
visible characters, for example what <code>openssl rand -base64 32</code> prints, and start the
process again. Then open this page and sign in with it.</p>`;

/** `note` writes to the audit log. Where that fails nobody is let in. */
export function createSignIn(
  adminToken: string | undefined,
  failures: FailureLimit,
  log: Logger,
  note: (what: "console.signed_in" | "console.signed_out") => Promise<void>,
): SignIn {
  const key = adminToken === undefined ? null : sessionKeyOf(adminToken);

  const endMs = (request: Request): number | null =>
    key === null
      ? null
      : sessionEndMs(key, cookieOf(request.headers.cookie, SESSION_COOKIE), systemClock());

  const showForm = (response: Response, status: number, next: string, fault?: string) => {
    if (key === null) sendPage(response, 503, frame(NOT_CONFIGURED));
    else sendPage(response, status, frame(form(next, fault)));
  };

  /**
   * Behind a proxy that is not configured all share an address, and whoever guesses there must not
   * lock the operators out: so only who is wrong is told to wait.
   */
  const refuse = async (request: Request, response: Response, target: string) => {
    const waitS = await failures.failed({ network: clientNetwork(request) });
    if (waitS > 0) {
      response.set("retry-after", String(waitS));
      const fault = `Too many wrong tokens from your address. Try again in ${waitS} s.`;
      return showForm(response, 429, target, fault);
    }
    log.warn({}, "a sign-in to the console was refused");
    showForm(response, 401, target, "That is not the administrator's token.");
  };

  const signIn = async (request: Request, response: Response) => {
    const { token, next } = (request.body ?? {}) as { token?: unknown; next?: unknown };
    const target = safeNext(next);
    if (adminToken === undefined || key === null) return showForm(response, 503, target);
    // Pasted with a space or a line's end around it, as happens.
    if (typeof token !== "string" || !equalSecrets(token.trim(), adminToken)) {
      return refuse(request, response, target);
    }
    await note("console.signed_in");
    response.set("set-cookie", cookie(request, newSession(key, systemClock()), SESSION_MS / 1_000));
    log.info({}, "an operator signed in to the console");
    response.redirect(303, target);
  };

  const router = Router();
  router.get("/sign-in", (request, response) => {
    if (endMs(request) === null) showForm(response, 200, safeNext(request.query.next));
    else response.redirect(303, "/console");
  });
  router.post(
    "/sign-in",
    sameOriginOnly,
    express.urlencoded({ extended: false, limit: "4kb", parameterLimit: 10 }),
    signIn,
  );
  router.post("/sign-out", sameOriginOnly, async (request, response) => {
    if (endMs(request) !== null) {
      // Whoever wants out gets out, whether that can be written down or not.
      await note("console.signed_out").catch((error) =>
        log.error({ err: error }, "a sign-out of the console could not be recorded"),
      );
    }
    response.set("set-cookie", cookie(request, "", 0));
    response.redirect(303, "/console/sign-in");
  });

  return {
    router,
    endMs,
    guard: (request, response, next) => {
      const wantsPage = request.method === "GET" && request.accepts(["html", "json"]) === "html";
      if (endMs(request) !== null) {
        next();
      } else if (!wantsPage) {
        response.status(401).json({ error: "Your session has ended. Sign in again." });
      } else if (key === null) {
        showForm(response, 503, "");
      } else {
        const wanted = encodeURIComponent(request.originalUrl);
        response.redirect(303, `/console/sign-in?next=${wanted}`);
      }
    },
  };
}

/** Refuses what another site's page sends. */
export function sameOriginOnly(request: Request, response: Response, next: NextFunction): void {
  if (isSameOrigin(request.headers)) next();
  else response.status(403).json({ error: "This request is not from a page of the console." });
}

function cookie(request: Request, value: string, maxAgeS: number): string {
  const forwarded = request.headers["x-forwarded-proto"];
  const isSecure = request.secure || forwarded === "https";
  return `${SESSION_COOKIE}=${value}; Path=/console; Max-Age=${maxAgeS}; HttpOnly; SameSite=Strict${isSecure ? "; Secure" : ""}`;
}

/** Where to go after signing in: a page of the console, and nowhere else. */
function safeNext(next: unknown): string {
  return typeof next === "string" && /^\/console(?:[/?][\w/?=&%.~+-]*)?$/.test(next)
    ? next.slice(0, 1_000)
    : "/console";
}

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

const form = (next: string, fault?: string) => `<h1>Heliograph console</h1>
<p class="hint">For operators of the whole installation.</p>
<form method="post" action="/console/sign-in">
<input type="hidden" name="next" value="${escaped(next)}" />
<label for="token">Administrator's token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password" spellcheck="false"${fault === undefined ? "" : ' aria-invalid="true" aria-describedby="fault"'} />
${fault === undefined ? "" : `<p class="fault" id="fault" role="alert">${escaped(fault)}</p>`}
<button type="submit" class="primary">Sign in</button>
</form>
<p class="hint">It is the value of <code>ADMIN_TOKEN</code>. <code>npm start</code> prints the one it
made at its first start.</p>`;

const frame = (content: string) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<title>Heliograph console</title>
<link rel="icon" href="/console/page/icon.svg" type="image/svg+xml" />
<link rel="stylesheet" href="/console/page/console.css" />
<script type="module" src="/console/page/sign-in.js"></script></head>
<body class="sign-in"><main><img src="/console/page/icon.svg" alt="" width="48" height="48" />
${content}
</main></body></html>`;
