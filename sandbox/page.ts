import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import express from "express";

/**
 * Serves the chat page: files of `public/` as they are, and the two libraries they import straight
 * from node_modules. No bundler, nothing from another host.
 */

const require = createRequire(import.meta.url);
const libraries: Record<string, string> = {
  preact: require.resolve("preact"),
  "preact/hooks": require.resolve("preact/hooks"),
  // Its `main` is CommonJS; the module stands beside it.
  htm: join(dirname(require.resolve("htm")), "htm.module.js"),
};

/** A built copy under dist/ finds the page where the sources are. */
function publicFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  for (const folder of [join(here, "public"), join(here, "../../sandbox/public")])
    if (existsSync(join(folder, "index.html"))) return folder;
  throw new Error("sandbox: the chat page's folder public/ is missing");
}

export function servePage(app: express.Express): void {
  const folder = publicFolder();
  const importMap = JSON.stringify({
    imports: Object.fromEntries(
      Object.keys(libraries).map((name) => [name, `/sandbox/lib/${name.replace("/", "-")}.js`]),
    ),
  });
  const html = readFileSync(join(folder, "index.html"), "utf8").replace(
    /(<script type="importmap">)[^<]*/,
    `$1${importMap}`,
  );
  const hash = createHash("sha256").update(importMap).digest("base64");
  app.get("/", (_request, response) => {
    response.set({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-cache",
      "content-security-policy": `default-src 'none'; script-src 'self' 'sha256-${hash}'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
    response.end(html);
  });
  for (const [name, path] of Object.entries(libraries)) {
    const source = readFileSync(path, "utf8");
    app.get(`/sandbox/lib/${name.replace("/", "-")}.js`, (_request, response) => {
      response.set({
        "content-type": "text/javascript; charset=utf-8",
        "cache-control": "no-cache",
      });
      response.end(source);
    });
  }
  app.use(
    "/sandbox/page",
    express.static(folder, { index: false, cacheControl: false, etag: true, redirect: false }),
  );
}
