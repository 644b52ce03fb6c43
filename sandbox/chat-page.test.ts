import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { type Browser, chromium, type Page } from "playwright-core";
import { findChromium } from "../test/support/executable.ts";
import { needs } from "../test/support/requirements.ts";
import { waitFor } from "../test/support/wait-for.ts";
import { type BotAccount, type Sandbox, startSandbox, type TelegramUser } from "./index.ts";
import { call, onePixelPng } from "./test-client.ts";

needs("chromium")("the chat page, in Chromium", () => {
  let browser: Browser;
  let sandbox: Sandbox;
  let bot: BotAccount;
  let ada: TelegramUser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: findChromium() ?? "",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
      ],
    });
    sandbox = await startSandbox();
    bot = sandbox.createBot({ name: "Helio", username: "helio_bot", inline: true });
    ada = sandbox.createUser({ firstName: "Ada" });
    sandbox.createUser({ firstName: "Grace" });
    await call(sandbox, bot, "setMyCommands", {
      commands: [
        { command: "start", description: "Begin" },
        { command: "help", description: "What I can do" },
      ],
    });
    page = await browser.newPage();
    page.setDefaultTimeout(10_000);
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    await page.goto(sandbox.url);
  });
  afterAll(async () => {
    await browser?.close();
    await sandbox?.close();
  });
  afterEach(() => expect(problems.splice(0)).toEqual([]));

  const botSays = (text: string, more = {}) =>
    call<{ message_id: number }>(sandbox, bot, "sendMessage", { chat_id: ada.id, text, ...more });
  const message = (text: string) => page.locator(".message", { hasText: text });
  const box = () => page.getByLabel("Message", { exact: true });
  const said = () => sandbox.messages({ chatId: ada.id, botId: bot.id });

  test("a bot is started, written to, and answers by itself", async () => {
    await page.getByRole("button", { name: /Helio/ }).click();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await message("/start").waitFor();
    await call(sandbox, bot, "sendChatAction", { chat_id: ada.id, action: "typing" });
    await page.getByText("Helio is typing").waitFor();
    await botSays("<b>Hello</b> &lt;Ada&gt;", { parse_mode: "HTML" });
    await message("Hello <Ada>").locator("b").waitFor();
    await page.getByText("Helio is typing").waitFor({ state: "detached" });
    await box().fill("How are you?");
    await box().press("Enter");
    await message("How are you?").waitFor();
    expect(said().at(-1)).toMatchObject({ text: "How are you?", from: { id: ada.id } });
  });

  test("commands are offered as one types, and chosen by keyboard", async () => {
    await box().fill("/");
    await page.getByRole("option", { name: "/help" }).waitFor();
    await box().press("ArrowDown");
    await box().press("Enter");
    await message("/help").waitFor();
    expect(said().at(-1)).toMatchObject({ text: "/help" });
  });

  test("a button is pressed, its answer shown, and the edit seen", async () => {
    const { result } = await botSays("Approve?", {
      reply_markup: { inline_keyboard: [[{ text: "Yes, approve", callback_data: "yes" }]] },
    });
    await page.getByRole("button", { name: "Yes, approve" }).click();
    await sandbox.waitFor(() => sandbox.webhookInfo(bot.id).pending_update_count > 0);
    const updates = await call<{ callback_query?: { id: string; data: string } }[]>(
      sandbox,
      bot,
      "getUpdates",
      { offset: -1 },
    );
    const query = updates.result[0]?.callback_query;
    expect(query?.data).toBe("yes");
    await call(sandbox, bot, "answerCallbackQuery", {
      callback_query_id: query?.id,
      text: "Noted",
    });
    await page.locator(".toast", { hasText: "Noted" }).waitFor();
    await call(sandbox, bot, "editMessageText", {
      chat_id: ada.id,
      message_id: result.message_id,
      text: "Approved by Ada",
    });
    await message("Approved by Ada").getByText("edited").waitFor();
    expect(await page.getByRole("button", { name: "Yes, approve" }).count()).toBe(0);
  });

  test("a reply keyboard is laid out, used, and taken away", async () => {
    await botSays("Pick one", { reply_markup: { keyboard: [["Left", "Right"]] } });
    await page.getByRole("button", { name: "Right", exact: true }).click();
    await message("Right").waitFor();
    await botSays("Done", { reply_markup: { remove_keyboard: true } });
    await page.getByRole("button", { name: "Left", exact: true }).waitFor({ state: "detached" });
  });

  test("a message is replied to, and one's own is edited", async () => {
    await message("Done").hover();
    await page.getByRole("button", { name: "Reply to: Done" }).click();
    await box().fill("Thanks");
    await box().press("Enter");
    await message("Thanks").locator(".quote", { hasText: "Done" }).waitFor();
    await box().press("ArrowUp");
    await page.getByText("Edit message").waitFor();
    await box().fill("Thank you");
    await box().press("Enter");
    await message("Thank you").getByText("edited").waitFor();
    expect(said().at(-1)).toMatchObject({ text: "Thank you", reply_to_message: { text: "Done" } });
  });

  test("photos and documents are sent and seen", async () => {
    const picker = page.locator('input[type="file"]');
    await picker.setInputFiles({ name: "pixel.png", mimeType: "image/png", buffer: onePixelPng });
    await box().fill("one pixel");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    const image = message("one pixel").locator("img");
    await image.waitFor();
    await waitFor(
      async () =>
        (await image.evaluate(
          (each: unknown) => (each as { naturalWidth: number }).naturalWidth,
        )) === 1,
    );
    await picker.setInputFiles({
      name: "report.pdf",
      mimeType: "application/pdf",
      buffer: Buffer.from("pdf"),
    });
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await message("report.pdf").waitFor();
    expect(said().at(-1)).toMatchObject({ document: { file_name: "report.pdf", file_size: 3 } });
  });

  test("a group is made with the bot, and who one is decides who speaks", async () => {
    await page.getByRole("button", { name: "New group" }).click();
    await page.getByLabel("Title").fill("Support desk");
    await page.getByRole("checkbox", { name: "Grace" }).check();
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await page.getByRole("heading", { name: "Support desk" }).waitFor();
    await page.getByText("group · 3 members").waitFor();
    await page.getByLabel("You are").selectOption("Grace");
    await box().fill("Hello all");
    await box().press("Enter");
    await message("Hello all").waitFor();
    const group = Number(
      sandbox.record.entries.findLast((entry) => entry.kind === "message")?.chatId,
    );
    expect(sandbox.messages({ chatId: group }).at(-1)).toMatchObject({
      from: { first_name: "Grace" },
    });
    await page.reload();
    await message("Hello all").waitFor();
  });

  test("a bot is asked from any chat, and what one chooses is posted", async () => {
    await box().fill("@helio_bot status");
    await page.getByText("Waiting for @helio_bot").waitFor();
    await sandbox.waitFor(({ updates }) => updates.at(-1)?.updateKind === "inline_query");
    const { result } = await call<{ inline_query?: { id: string; query: string } }[]>(
      sandbox,
      bot,
      "getUpdates",
      { offset: -1 },
    );
    expect(result[0]?.inline_query?.query).toBe("status");
    await call(sandbox, bot, "answerInlineQuery", {
      inline_query_id: result[0]?.inline_query?.id,
      results: ["Green", "Amber"].map((title) => ({
        type: "article",
        id: title,
        title,
        description: `Everything is ${title.toLowerCase()}`,
        input_message_content: { message_text: `Status: ${title}` },
      })),
    });
    await page.getByRole("button", { name: "Amber" }).click();
    await message("Status: Amber").getByText("via @helio_bot").waitFor();
    expect(await box().inputValue()).toBe("");
  });

  test("a reaction is shown, counted and taken away", async () => {
    await message("Hello all").hover();
    await page.getByRole("button", { name: "React to: Hello all" }).click();
    await page.getByRole("button", { name: "React with 🎉" }).click();
    const chip = message("Hello all").locator(".reaction", { hasText: "🎉" });
    await chip.waitFor();
    expect(await chip.getAttribute("aria-pressed")).toBe("true");
    await chip.click();
    await chip.waitFor({ state: "detached" });
  });

  test("a poll is voted in", async () => {
    const group = Number(
      sandbox.record.entries.findLast((entry) => entry.kind === "message")?.chatId,
    );
    await call(sandbox, bot, "sendPoll", {
      chat_id: group,
      question: "When?",
      options: [{ text: "Today" }, { text: "Tomorrow" }],
    });
    const poll = page.getByRole("group", { name: "Poll: When?" });
    await poll.getByRole("button", { name: /Tomorrow/ }).click();
    await poll.getByText("1 vote").waitFor();
    expect(sandbox.messages({ chatId: group }).at(-1)?.poll?.options[1]?.voter_count).toBe(1);
  });

  test("one leaves a group, and blocks a bot and takes that back", async () => {
    await page.getByRole("button", { name: "Details and members" }).click();
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByText("Choose a chat to start talking.").waitFor();
    await page.getByLabel("You are").selectOption("Ada");
    await page.getByRole("button", { name: /^Helio/ }).click();
    await page.getByRole("button", { name: "Details and members" }).click();
    await page.getByRole("button", { name: "Block", exact: true }).click();
    await page.getByRole("button", { name: "Done", exact: true }).click();
    await page.getByRole("button", { name: "Unblock Helio" }).click();
    await box().waitFor();
    const changes = sandbox.record.updates.filter((each) => each.updateKind === "my_chat_member");
    expect(changes.length).toBeGreaterThanOrEqual(2);
  });

  test("a webhook that fails is told of, in words", async () => {
    await call(sandbox, bot, "setWebhook", { url: "http://127.0.0.1:1/" });
    const strip = page.getByLabel("Deliveries");
    await strip.getByText("failing").waitFor();
    await strip.getByText("Connection refused").waitFor();
    await call(sandbox, bot, "deleteWebhook", { drop_pending_updates: true });
    await strip.getByText("no webhook").waitFor();
  });
});
