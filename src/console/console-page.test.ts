import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { findChromium } from "../../test/support/executable.ts";
import { needs } from "../../test/support/requirements.ts";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { webServer } from "../../workers/web.ts";

const HOSTILE = `<img src=x onerror="document.title='owned'"><script>alert(1)</script> & so on`;

needs("chromium")("the console, in Chromium", () => {
  let browser: Browser;
  let context: BrowserContext;
  let world: TestSystem;
  let bot: TestBot;
  let page: Page;
  const problems: string[] = [];

  const watched = async (of: BrowserContext): Promise<Page> => {
    const opened = await of.newPage();
    opened.setDefaultTimeout(10_000);
    opened.on("pageerror", (error) => problems.push(error.message));
    opened.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    return opened;
  };
  const signIn = async (on: Page) => {
    await on.getByLabel("Administrator's token").fill("the-administrator");
    await on.keyboard.press("Enter");
  };

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: findChromium() ?? "",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        // A name that is neither local nor behind TLS: browsers tell less about requests there.
        "--host-resolver-rules=MAP console.test 127.0.0.1",
      ],
    });
    world = await startTestSystem();
    await world.system.jobs.announce("all");
    bot = await world.connectBot();
    world.sandbox.createUser({ firstName: "Ada" });
    context = await browser.newContext({ reducedMotion: "reduce" });
    page = await watched(context);
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
  });
  afterEach(() => expect(problems.splice(0)).toEqual([]));

  const heading = (name: string) => page.getByRole("heading", { name, exact: true, level: 1 });
  const section = (name: string) =>
    page.locator("section", { has: page.getByRole("heading", { name, exact: true }) });

  test("a message is followed from the chat page to the console, mended there, and answered", async () => {
    world.sandbox.fault({
      botId: bot.id,
      method: "sendMessage",
      answer: {
        status: 400,
        error_code: 400,
        description: "Bad Request: no such thing as /start",
      },
    });
    await page.goto(`${world.url}/console/jobs?queue=outbound`);
    await signIn(page);
    await heading("Jobs").waitFor();
    await page.getByText("No job matches").waitFor();

    const chat = await watched(context);
    await chat.goto(world.sandbox.url);
    await chat.locator(".chat-row").click();
    await chat.getByRole("button", { name: "Start", exact: true }).click();
    await chat.locator(".message", { hasText: "/start" }).waitFor();

    // The list changes by itself.
    const row = page.getByRole("row", { name: /outbound/ });
    await row.getByText("discarded").waitFor();
    const id = (await row.getByRole("link").first().textContent()) ?? "";
    await row.getByRole("link").first().click();
    await heading(`Job ${id}`).waitFor();
    await section("Effects").getByText("failed").waitFor();

    // To its cause, which names the message it stored and this job; and back.
    await section("Cause").getByRole("link").click();
    await section("Timeline").getByText("Completed").waitFor();
    await section("Effects").getByText("Message received").waitFor();
    await section("Effects").getByText("in conversation").waitFor();
    await section("Effects").getByRole("link", { name: id }).click();

    await page.getByRole("button", { name: "Retry" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText(`Job ${id}: will run again`).waitFor();
    await section("Effects").getByText("sent", { exact: true }).waitFor();
    await section("Timeline").getByText("Completed").waitFor();
    expect(await page.getByRole("button", { name: "Retry" }).count()).toBe(0);
    await chat.locator(".message:not(.own) .text").first().waitFor();
    await chat.close();
    expect(await page.locator("body").textContent()).not.toContain("/start");
  });

  test("updates stand still while paused, and go on from where things are", async () => {
    await page.getByRole("link", { name: "Queues", exact: true }).click();
    const row = page.getByRole("row", { name: /^delivery/ });
    const oldest = row.locator("td").nth(1);
    await oldest.getByText("none").waitFor();
    await page.getByRole("button", { name: "Pause updates" }).click();
    await world.system.db.query(
      `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, priority, payload, run_at,
         max_attempts, created_at, error_class, error)
       VALUES ($1, nextval('job_ids'), 'delivery', 'stalled', 'event', 'available', 5, '{}',
         now() - interval '2 h', 3, now() - interval '2 h', '<b>Odd</b>', $2)`,
      [world.workspaceId, HOSTILE],
    );
    // Another tab is live meanwhile: when it has the news, this one has had it too.
    const second = await watched(context);
    await second.goto(`${world.url}/console`);
    await second
      .getByRole("row", { name: /^delivery/ })
      .getByText("2 h")
      .waitFor();
    await second.close();
    expect(await oldest.textContent()).toBe("none");
    await page.getByRole("button", { name: "Go on" }).click();
    await oldest.getByText("2 h").waitFor();
    await row.getByText("no worker").waitFor();
  });

  test("every chart has its table, and what is looked for stands in the address", async () => {
    const charts = page.locator(".chart");
    await waitFor(async () => (await charts.count()) === 5);
    for (let n = 0; n < 5; n++) {
      await charts.nth(n).getByText("Table").click();
      await charts.nth(n).getByRole("columnheader", { name: "delivery" }).waitFor();
    }
    await page.getByRole("link", { name: "1 available jobs of delivery" }).click();
    await heading("Jobs").waitFor();
    expect(new URL(page.url()).search).toBe("?queue=delivery&state=available");
    expect(await page.getByLabel("Queue").inputValue()).toBe("delivery");
    await page.getByLabel("Lane").fill("nowhere");
    // What is being typed stays there while the list below it changes.
    await world.system.db.query(
      `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, priority, payload, run_at,
         max_attempts, created_at)
       VALUES ($1, nextval('job_ids'), 'delivery', 'newcomer', 'event', 'available', 5, '{}', now(),
         3, now())`,
      [world.workspaceId],
    );
    await page.getByRole("row", { name: /newcomer/ }).waitFor();
    await world.system.db.query("DELETE FROM jobs WHERE lane = 'newcomer'");
    expect(await page.getByLabel("Lane").inputValue()).toBe("nowhere");
    await page.keyboard.press("Enter");
    await page.getByText("No job matches").waitFor();
    await page.goBack();
    // What an error says is text, in the list and on the page, whatever it looks like.
    const row = page.getByRole("row", { name: /stalled/ });
    await row.getByText(HOSTILE).waitFor();
    expect(await page.getByLabel("Lane").inputValue()).toBe("");
    await row.getByRole("link").first().click();
    await section("Last error").getByText(HOSTILE).waitFor();
    expect(await page.locator("main :is(img, script)").count()).toBe(0);
  });

  test("no page is wider than a phone, in dark or light", async () => {
    for (const colorScheme of ["dark", "light"] as const) {
      const phone = await browser.newContext({
        viewport: { width: 360, height: 740 },
        colorScheme,
        storageState: await context.storageState(),
      });
      const small = await watched(phone);
      for (const [path, ready] of [
        ["/console", "Last minutes"],
        ["/console/jobs", "Last error"],
        ["/console/jobs/1", "Timeline"],
        ["/console/processes", "Heartbeat"],
        ["/console/bots", "Chats held"],
      ] as const) {
        await small.goto(world.url + path);
        await small.getByText(ready).first().waitFor();
        const width = await small.evaluate("document.documentElement.scrollWidth");
        expect([path, width]).toEqual([path, 360]);
      }
      await phone.close();
    }
  });

  test("a server that is restarted is found again by the open page, signed in as before", async () => {
    const first = webServer(world.system);
    const port = await first.listen(0, "127.0.0.1");
    const other = await browser.newContext();
    const open = await other.newPage();
    open.setDefaultTimeout(10_000);
    await open.goto(`http://127.0.0.1:${port}/console/processes`);
    await signIn(open);
    await open.getByText("live", { exact: true }).waitFor();
    await first.close(500);
    await open.getByText("connecting", { exact: true }).waitFor();
    const second = webServer(world.system);
    await second.listen(port, "127.0.0.1");
    await open.getByText("live", { exact: true }).waitFor();
    await open.getByText("Heartbeat").waitFor();
    await other.close();
    await second.close(500);
  });

  test("in a network without TLS one signs in, changes things and signs out as well", async () => {
    const port = new URL(world.url).port;
    const other = await browser.newContext();
    const open = await other.newPage();
    open.setDefaultTimeout(10_000);
    await open.goto(`http://console.test:${port}/console`);
    await signIn(open);
    await open.getByRole("button", { name: "Pause backfill" }).click();
    await open.getByRole("button", { name: "Pause the queue" }).click();
    await open.getByRole("button", { name: "Resume backfill" }).click();
    await open.getByRole("button", { name: "Pause backfill" }).waitFor();
    await open.getByRole("button", { name: "Sign out" }).click();
    await open.getByLabel("Administrator's token").waitFor();
    await other.close();
  });

  test("a link from elsewhere leads in, too, though the cookie did not come with it", async () => {
    await page.goto("about:blank");
    await page.setContent(`<a href="${world.url}/console/jobs/1">the job</a>`);
    const asked = page.waitForRequest(/sign-in\?next/);
    await page.getByRole("link").click();
    await asked;
    await heading("Job 1").waitFor();
  });

  test("a session that ends leads to the sign-in page, and back to where one was", async () => {
    await page.goto(`${world.url}/console/bots`);
    await page.getByText("Chats held").waitFor();
    await context.clearCookies();
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    await page.getByLabel("Administrator's token").waitFor();
    expect(problems.splice(0).every((problem) => problem.includes("401"))).toBe(true);
    await signIn(page);
    await heading("Jobs").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Administrator's token").waitFor();
    await page.goto(`${world.url}/console`);
    await page.getByLabel("Administrator's token").waitFor();
  });
});
