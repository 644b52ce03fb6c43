import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { type Browser, chromium, type Page } from "playwright-core";
import { findChromium } from "../../test/support/executable.ts";
import { needs } from "../../test/support/requirements.ts";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createWorkspace } from "../connectors/index.ts";

const HOSTILE = `<img src=x onerror="document.title='owned'"> & so on`;

interface Body {
  id: string;
  apiKey: string;
  state: string;
  version: string;
  error?: string;
}

needs("chromium")("the approvals page, in Chromium", () => {
  let browser: Browser;
  let world: TestSystem;
  let bot: TestBot;
  let chatId: number;
  let approver: Body;
  let page: Page;
  /** What a page says of itself; a refusal of the API is said there, too. */
  const problems: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: findChromium() ?? "",
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
    });
    world = await startTestSystem();
    bot = await world.connectBot();
    const ada = world.sandbox.createUser({ firstName: "Ada" });
    chatId = ada.id;
    await world.sandbox.send({ from: ada.id, chatId, botId: bot.id, text: "hello" });
    approver = await made("/v1/keys", { name: "Bea's key", scopes: ["read", "approve"] });
    await made("/v1/approval-rules", { name: "All of them", conditions: {} });
    await made("/v1/approval-rules", { name: "Two", conditions: { words: ["two"] }, approvals: 2 });
    page = await opened();
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
  });
  afterEach(() => expect(problems.splice(0)).toEqual([]));

  const made = async (path: string, body: unknown): Promise<Body> => {
    const answer = await world.api("POST", path, body);
    expect(answer.status).toBeLessThan(300);
    return answer.body;
  };
  const submit = (text: string | undefined, more = {}) =>
    made("/v1/messages", { connectorId: bot.connectorId, chatId, text, ...more });
  const ended = (id: string, state: string) =>
    waitFor(async () => {
      const { body } = await world.api("GET", `/v1/messages/${id}`);
      return (body as Body).state === state && (body as Body);
    });
  const opened = async (): Promise<Page> => {
    const context = await browser.newContext({ reducedMotion: "reduce" });
    const one = await context.newPage();
    one.setDefaultTimeout(10_000);
    one.on("pageerror", (error) => problems.push(error.message));
    one.on("console", (message) => {
      // Chromium itself notes each answer that is a refusal.
      if (message.type() !== "error" || /status of 4\d\d/.test(message.text())) return;
      problems.push(message.text());
    });
    return one;
  };
  const signIn = async (on: Page, key: string) => {
    await on.getByLabel("Your API key").fill(key);
    await on.getByRole("button", { name: "Sign in" }).click();
  };
  const open = (id: string, on = page) => on.goto(`${world.url}/console/approvals/${id}`);
  const press = (name: string, on = page) => on.getByRole("button", { name, exact: true }).click();
  const sent = () => world.sandbox.messages({ chatId, botId: bot.id }).map(({ text }) => text);

  test("a key opens it, its own tab alone, and a wrong one does not", async () => {
    await page.goto(`${world.url}/console/approvals`);
    await signIn(page, "hgk_nonsense");
    await page.getByText("This key is not valid").waitFor();
    await signIn(page, ` ${approver.apiKey} `);
    await page.getByText("Nothing waits for an approval").waitFor();
    await page.reload();
    await page.getByText("Nothing waits for an approval").waitFor();
    expect(page.url()).not.toContain("hgk_");
    const other = await page.context().newPage();
    await other.goto(`${world.url}/console/approvals`);
    await other.getByLabel("Your API key").waitFor();
    await other.close();
  });

  test("all that is sent is read there, whatever stands in it, and approved", async () => {
    const text = `${HOSTILE.replaceAll("<", "&lt;")} <a href="https://example.org/terms">our terms</a> <b>now</b>, by
      <tg-time unix="1893456000" format="D">10 May</tg-time>`;
    const { id } = await submit(text, {
      format: "html",
      buttons: [[{ text: "Pay", url: "https://example.org/pay" }]],
      deleteAfter: 3_600,
      silent: true,
    });
    await press("Look again");
    const row = page.getByRole("row", { name: /All of them/ });
    await row.getByText("waiting").waitFor();
    await row.getByRole("link").click();
    await page.getByText("so on our terms now").waitFor();
    for (const told of [
      "https://example.org/terms",
      "https://example.org/pay",
      "Marked: bold “now”",
      "shown as the time 2030-01-01T00:00:00.000Z",
      "1 h after it was sent",
      "All of them",
    ]) {
      await page.getByText(told, { exact: false }).first().waitFor();
    }
    expect(await page.title()).toBe("An approval · Heliograph");
    await press("Approve…");
    await press("Approve");
    await page.getByText("Approved: it is on its way.").waitFor();
    await page.getByText("approved by Bea's key").waitFor();
    expect(await page.getByRole("button", { name: /Approve/ }).count()).toBe(0);
    await ended(id, "sent");
    expect(sent().at(-1)).toContain("so on our terms now");
  });

  test("rejected, its sender reads why", async () => {
    const { id } = await submit("too blunt");
    await open(id);
    await press("Reject…");
    await page.getByLabel("Why, for who wrote it").fill("Be kinder");
    await press("Reject");
    await page.getByText("rejected by Bea's key: Be kinder").waitFor();
    expect((await ended(id, "rejected")).error).toBe("Rejected: Be kinder");
  });

  test("another text is approved in one step, and one that cannot be sent stays in its form", async () => {
    const { id } = await submit("first words");
    await open(id);
    await press("Edit and approve…");
    const text = page.getByLabel("Text", { exact: true });
    expect(await text.inputValue()).toBe("first words");
    await text.fill("<b>open");
    await page.getByLabel("Written as").selectOption("html");
    await press("Approve this text");
    await page.locator("dialog").getByRole("alert").waitFor();
    await text.fill("<b>better</b> words");
    // Nor is what was typed lost where the server cannot be reached.
    await page.route("**/edit", (route) => route.abort(), { times: 1 });
    await press("Approve this text");
    await page.locator("dialog").getByText("cannot be reached").waitFor();
    expect(problems.splice(0)).toEqual([expect.stringContaining("ERR_FAILED")]);
    await press("Approve this text");
    await page.getByText("edited by Bea's key").waitFor();
    await ended(id, "sent");
    expect(sent().at(-1)).toBe("better words");
    expect(sent()).not.toContain("first words");
  });

  test("nobody approves what they have not seen: a message that changed is shown anew", async () => {
    const { id } = await submit("two, as it was");
    await open(id);
    await page.getByText("two, as it was").waitFor();
    const editor = await made("/v1/keys", { name: "Editor", scopes: ["read", "approve"] });
    const { version } = (await world.api("GET", `/v1/approvals/${id}`)).body as Body;
    const edited = await fetch(`${world.url}/v1/approvals/${id}/edit`, {
      method: "POST",
      headers: { authorization: `Bearer ${editor.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ version, text: "two, as it is" }),
    });
    expect(edited.status).toBe(200);
    await press("Approve…");
    await press("Approve");
    await page.getByText("The message has changed since that version").waitFor();
    await page.getByText("two, as it is").waitFor();
    await page.getByText("(of an earlier text)").waitFor({ state: "detached" });
    expect((await ended(id, "awaiting_approval")).state).toBe("awaiting_approval");
    await press("Approve…");
    await press("Approve");
    await page.getByText("Approved: it is on its way.").waitFor();
    await ended(id, "sent");
  });

  test("a file by its address, and a message that is to be deleted, are told as what they are", async () => {
    const file = { url: "https://example.org/plan.png", name: "plan.png" };
    const photo = await submit("look", { content: { type: "photo", file } });
    await open(photo.id);
    await page.getByRole("heading", { name: "A photo" }).waitFor();
    await page.getByText("https://example.org/plan.png").waitFor();
    await page.getByText("file.name").waitFor();
    const target = await submit("words to be taken back");
    await open(target.id);
    await press("Approve…");
    await press("Approve");
    await ended(target.id, "sent");
    const { id } = await submit(undefined, { content: { type: "delete", messageId: target.id } });
    await open(id);
    await page.getByRole("heading", { name: "Deletes a message" }).waitFor();
    await page.getByText("words to be taken back").waitFor();
    expect(await page.getByRole("button", { name: "Edit and approve…" }).count()).toBe(0);
  });

  test("a key that may only read decides nothing, and reads why", async () => {
    const { id } = await submit("for reading");
    const reader = await made("/v1/keys", { name: "Reader", scopes: ["read"] });
    const other = await opened();
    await open(id, other);
    await signIn(other, reader.apiKey);
    await press("Approve…", other);
    await press("Approve", other);
    await other.locator("dialog").getByText("scope").waitFor();
    await other.context().close();
  });

  test("its author decides nothing, and another workspace sees nothing", async () => {
    const { id } = await submit("my own");
    const author = await opened();
    await open(id, author);
    await signIn(author, world.apiKey);
    await press("Approve…", author);
    await press("Approve", author);
    await author.getByText("Whoever submitted a message does not decide on it").waitFor();
    await author.context().close();
    const stranger = await opened();
    await open(id, stranger);
    await signIn(stranger, (await createWorkspace(world.system.db, "Other")).apiKey);
    await stranger.getByText("Nobody was asked to approve such a message").waitFor();
    await stranger.getByRole("link", { name: "All that wait" }).click();
    await stranger.getByText("Nothing waits for an approval").waitFor();
    await stranger.context().close();
  });

  test("where two are needed the first is noted; a key that is taken away is asked for again", async () => {
    const { id } = await submit("two words");
    await open(id);
    await page.getByText("0 of 2").waitFor();
    await press("Approve…");
    await press("Approve");
    await page.getByText("Noted. 1 more approval is needed.").waitFor();
    await page.getByText("1 of 2").waitFor();
    const { id: keyId } = approver;
    expect((await world.api("DELETE", `/v1/keys/${keyId}`)).status).toBeLessThan(300);
    // Every process refuses it within a second.
    await waitFor(async () => {
      await page.reload();
      await page.locator("dl, form").first().waitFor();
      return (await page.getByLabel("Your API key").count()) === 1;
    });
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
  });

  test("signing out forgets the key", async () => {
    const { apiKey } = await made("/v1/keys", { name: "Third", scopes: ["read", "approve"] });
    await signIn(page, apiKey);
    await page.getByText("two words").waitFor();
    await press("Sign out");
    await page.getByLabel("Your API key").waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    expect(await page.locator("body").textContent()).not.toContain("two words");
  });
});
