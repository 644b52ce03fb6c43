import { needs } from "./openapi.ts";
import type { Route } from "./route.ts";

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** Names in backticks are code, as they are in what reads Markdown. */
const prose = (text: string) => escaped(text).replace(/`([^`]+)`/g, "<code>$1</code>");

const STYLE = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:56rem;margin:2rem auto;padding:0 1rem}
article{border-top:1px solid #8884;padding:.75rem 0}
code{font-size:.95em}b{display:inline-block;min-width:4.5rem}`;

/** A readable page over the same routes as /openapi.json. */
export function docsPage(routes: Route[]): string {
  const calls = routes
    .map(
      (
        route,
      ) => `<article><h2><b>${route.method.toUpperCase()}</b> <code>${escaped(route.path)}</code></h2>
<p>${prose(route.summary)}</p><p>${prose(needs(route))} Answers ${route.success.status}.</p></article>`,
    )
    .join("\n");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Heliograph API</title>
<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head><body>
<h1>Heliograph API</h1><p>JSON in and out; errors are <code>application/problem+json</code>. Send
<code>Authorization: Bearer …</code>. The exact shapes: <a href="/openapi.json">/openapi.json</a>.</p>
${calls}</body></html>`;
}
