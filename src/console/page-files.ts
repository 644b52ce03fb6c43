import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import express, { type Response, type Router } from "express";
import { projectFile } from "../platform/index.ts";

/**
 * The pages as files: those of `public/` as they are, and the libraries they import straight from
 * node_modules. No bundler, nothing from another host. They hold no data, so they need no session.
 */

const require = createRequire(import.meta.url);
const modules: Record<string, string> = {
  preact: require.resolve("preact"),
  "preact/hooks": require.resolve("preact/hooks"),
  // Their `main` is CommonJS; the modules stand beside it.
  htm: join(dirname(require.resolve("htm")), "htm.module.js"),
  uplot: join(dirname(require.resolve("uplot")), "uPlot.esm.js"),
};
const uplotStyle = join(dirname(require.resolve("uplot")), "uPlot.min.css");
const libraryName = (name: string) => `${name.replace("/", "-")}.js`;

const importMap = JSON.stringify({
  imports: Object.fromEntries(
    Object.keys(modules).map((name) => [name, `/console/lib/${libraryName(name)}`]),
  ),
});
const importMapHash = createHash("sha256").update(importMap).digest("base64");

/** Charts set styles from scripts, which a policy does not concern; nothing inline is allowed. */
const POLICY = [
  "default-src 'none'",
  `script-src 'self' 'sha256-${importMapHash}'`,
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Sends a page of the console. */
export function sendPage(response: Response, status: number, html: string): void {
  response.status(status).set({
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    // With no-referrer, browsers send forms with `Origin: null`, and without TLS nothing else says
    // where they come from (same-origin.ts).
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
  });
  response.send(html);
}

const folder = projectFile("src", "console", "public");

/** A page that holds several: its script, one of `public/`, decides by the address. */
export const appPage = (script: "app.js" | "approvals-app.js"): string =>
  readFileSync(join(folder, "index.html"), "utf8")
    .replace(/(<script type="importmap">)[^<]*/, `$1${importMap}`)
    .replace("/console/page/app.js", `/console/page/${script}`);

/** Adds the files to the console's router, under `/lib` and `/page`. */
export function servePageFiles(router: Router): void {
  const files = [
    ...Object.entries(modules).map(([name, path]) => ({
      name: libraryName(name),
      type: "text/javascript",
      path,
    })),
    { name: "uplot.css", type: "text/css", path: uplotStyle },
  ];
  for (const { name, type, path } of files) {
    const source = readFileSync(path, "utf8");
    router.get(`/lib/${name}`, (_request, response) => {
      response.set({ "content-type": `${type}; charset=utf-8`, "cache-control": "no-cache" });
      response.send(source);
    });
  }
  router.use(
    "/page",
    express.static(folder, { index: false, cacheControl: false, etag: true, redirect: false }),
  );
}
