import type { Choice, Job, JobId, LaneRunner, Outcome } from "../jobs/index.ts";
import { type Database, systemClock } from "../platform/index.ts";
import { Bringing } from "./bringing.ts";
import { tellOfCall, withinAttempts } from "./call-settings.ts";
import { asCourtesy, bringsFiles } from "./content/index.ts";
import { type CallMeans, makeCalls } from "./make-calls.ts";
import { resultOfPart } from "./message-parts.ts";
import { PRIORITY_NUMBERS } from "./new-message.ts";
import { isGroupChat, type LeftCall, type Pace } from "./pace.ts";
import { Flow } from "./pace-flow.ts";
import type { PaceKeeper } from "./pace-store.ts";
import { HeldBack, Turns } from "./pace-turns.ts";
import type { PaidAllowance } from "./paid-allowance.ts";
import { PaidPace } from "./paid-pace.ts";
import { PassedChats } from "./passed-chats.ts";
import { type NewHold, orphanedAttempt, type SendAttempt } from "./send-attempts.ts";
import type { MessageRow } from "./send-call.ts";
import { notSentResult, type SendResult, unknownResult } from "./send-result.ts";

export interface BotRunnerOptions extends CallMeans {
  db: Database;
  pace: Pace;
  keeper: PaceKeeper;
  allowance: PaidAllowance;
  /** Of all bots of the process: chosen to be paid for, until they are over. */
  paidJobs: Set<JobId>;
  /** Told that the drain is over, and nothing of it under way. */
  left(): void;
  /** Told of each call that was made, and how long it took, in ms. */
  observe(result: SendResult, runMs: number): void;
}

/** One drain of a bot: chooses what its pace allows, and makes the calls. */
export class BotRunner implements LaneRunner<SendAttempt> {
  private readonly options: BotRunnerOptions;
  private readonly pace: Pace;
  private readonly bringing = new Bringing();
  private readonly roomless = new PassedChats();
  /** Chosen, and would have left earlier but for the bot's rate. */
  private readonly waited = new Set<JobId>();
  private readonly turns: Turns;
  private readonly paid: PaidPace;
  private readonly paidTurns: Turns;
  private readonly flow = new Flow();
  private groupsTurn = false;
  /** More is chosen until as much is in hand as may be. */
  private isFilling = true;

  constructor(options: BotRunnerOptions) {
    this.options = options;
    this.pace = options.pace;
    this.turns = new Turns(options.pace);
    this.paid = new PaidPace(options.pace, options.allowance);
    this.paidTurns = new Turns(this.paid);
  }

  /**
   * As many calls as the rate and the time that a call takes keep in flight. Once as many are in hand
   * as may be, no more than there are until half of them have left: nobody looks for more in vain, and
   * then several are chosen of one claim. What takes its files first is none of them.
   */
  concurrency(): number {
    const nowMs = systemClock();
    const halfMs = this.flow.leadMs / 2;
    this.isFilling ||= this.pace.botChoiceAtMs(nowMs, halfMs) <= nowMs;
    this.isFilling ||= this.paid.choiceAtMs(nowMs, halfMs) <= nowMs;
    const perSecond = this.pace.rate.perSecond + this.paid.perSecond;
    return this.flow.concurrency(perSecond, this.isFilling) + this.bringing.size;
  }

  held(nowMs: number): { keys: string[]; untilMs: number | null } {
    const { chatIds, untilMs } = this.pace.heldChats(nowMs);
    const passed = this.bringing.passedKeys(nowMs);
    const roomless = this.roomless.passedKeys(nowMs);
    const times = [untilMs, passed.untilMs, roomless.untilMs].filter((ms) => ms !== null);
    return {
      keys: [...chatIds, ...passed.keys, ...roomless.keys],
      untilMs: times.length > 0 ? Math.min(...times) : null,
    };
  }

  /**
   * The first that may leave, chosen a little before its time; among what is as urgent groups and
   * private chats take turns. A group may have twenty a minute, so what waits for hundreds of them
   * would keep everybody else waiting.
   */
  choose(ready: Job[], nowMs: number): Choice {
    const botMs = this.pace.botChoiceAtMs(nowMs, this.flow.leadMs);
    if (botMs > nowMs) return this.chooseWhileFull(ready, nowMs, botMs);
    let waitUntilMs = Number.POSITIVE_INFINITY;
    const best: { group?: Job; other?: Job } = {};
    for (const job of ready) {
      if (takesFiles(job) && this.bringing.isFull) {
        waitUntilMs = Math.min(waitUntilMs, this.bringing.pass(job, nowMs));
        continue;
      }
      const chatId = chatOf(job);
      const cost = costOf(job);
      const nextMs = chatId === null ? nowMs : this.pace.chatNextAtMs(chatId, nowMs, cost);
      if (nextMs > nowMs) {
        const againMs = cost > 1 ? this.roomless.pass(job, nextMs, nowMs) : nextMs;
        waitUntilMs = Math.min(waitUntilMs, againMs);
        continue;
      }
      const first = best.group ?? best.other;
      if (first !== undefined && job.priority !== first.priority) break;
      if (chatId !== null && isGroupChat(chatId)) best.group ??= job;
      else best.other ??= job;
      if (best.group && best.other) break;
    }
    const job = (this.groupsTurn ? best.group : best.other) ?? best.group ?? best.other;
    if (job === undefined) return { waitUntilMs };
    if (!takesFiles(job) && costOf(job) > 1) {
      const roomMs = this.pace.botChoiceAtMs(nowMs, this.flow.leadMs, costOf(job));
      if (roomMs > nowMs) return this.chooseBefore(job, ready, nowMs, roomMs);
    }
    if (best.group && best.other) this.groupsTurn = !this.groupsTurn;
    // What takes a minute until it can leave has no slot before then.
    if (takesFiles(job)) this.bringing.begin(job);
    else {
      this.flow.chosen(job.id, nowMs);
      if (this.pace.choose(chatOf(job), nowMs, costOf(job))) this.waited.add(job.id);
    }
    return { job };
  }

  /**
   * An album has room for all that it counts as then, and nothing goes before it: it would never find any.
   * Nothing but what is critical, which waits for one choice at most and not for ten messages' time.
   */
  private chooseBefore(album: Job, ready: Job[], nowMs: number, roomMs: number): Choice {
    const isAlert = ({ priority }: Job) => priority === PRIORITY_NUMBERS.critical;
    const alert = isAlert(album) ? null : this.choose(ready.filter(isAlert), nowMs);
    if (alert !== null && "job" in alert) return alert;
    const untilMs = Math.min(roomMs, alert?.waitUntilMs ?? roomMs);
    const choice = this.chooseWhileFull(ready, nowMs, untilMs);
    // An alert that comes meanwhile may start.
    return "job" in choice ? choice : { ...choice, forAll: false };
  }

  /** The free rate is used up until then: what may be paid for is chosen, or nothing. */
  private chooseWhileFull(ready: Job[], nowMs: number, botMs: number): Choice {
    if (this.pace.heldUntilMs(null) <= nowMs) this.pace.rate.noteLoad(nowMs);
    const paid = this.choosePaid(ready, nowMs);
    if ("job" in paid) return paid;
    this.isFilling = false;
    const waitUntilMs = Math.min(botMs, paid.waitUntilMs);
    // Where it may be paid for, a broadcast that comes meanwhile may start.
    return { waitUntilMs, forAll: this.paid.perSecond === 0 };
  }

  /**
   * The first of a broadcast that may leave for money, while the free rate is used up. What brings files
   * is none of them: it has no slot before it has them.
   */
  private choosePaid(ready: Job[], nowMs: number): Choice {
    const payable = ready.filter((job) => priceOf(job) > 0 && !takesFiles(job));
    if (payable.length === 0) return { waitUntilMs: Number.POSITIVE_INFINITY };
    this.options.allowance.note(nowMs);
    const job = payable.find(
      (one) => this.pace.chatNextAtMs(one.orderingKey ?? "", nowMs, costOf(one)) <= nowMs,
    );
    if (job === undefined) return { waitUntilMs: Number.POSITIVE_INFINITY };
    const paidMs = this.paid.choiceAtMs(nowMs, this.flow.leadMs, priceOf(job));
    if (paidMs > nowMs) return { waitUntilMs: Math.min(paidMs, nowMs + LOOK_AGAIN_MS) };
    this.options.paidJobs.add(job.id);
    this.flow.chosen(job.id, nowMs);
    this.paid.choose(chatOf(job), nowMs, priceOf(job));
    return { job };
  }

  /** Calls that went past this drain, and holds they met, are known before the next one leaves. */
  async refresh(): Promise<void> {
    await this.options.keeper.look(systemClock());
  }

  notBegun(job: Job): void {
    this.bringing.ended(job);
    this.waited.delete(job.id);
    if (this.options.paidJobs.delete(job.id)) {
      this.paid.release(chatOf(job), systemClock(), priceOf(job));
    } else if (!takesFiles(job)) this.pace.release(chatOf(job), costOf(job));
    this.flow.ended(job.id);
  }

  async run(job: Job, signal: AbortSignal, attempt: SendAttempt | null): Promise<Outcome> {
    // Sent after all by a holder that was believed dead, or gone: there is nothing to send.
    if (attempt === null) {
      this.notBegun(job);
      return { type: "complete" };
    }
    const startedMs = systemClock();
    const chatId = chatOf(job);
    const isPaid = this.options.paidJobs.has(job.id);
    const left: LeftCall[] = [];
    const leave = async () => {
      // A second call, of the same message, was not chosen.
      const wasChosen = left.length === 0 && !takesFiles(job);
      if (wasChosen) this.flow.began(job.id, systemClock());
      const turns = isPaid ? this.paidTurns : this.turns;
      const call = await turns.take({ chatId, wasChosen, cost: costOf(job) }, signal);
      // Where it took longer to begin than it was chosen early, its turn had come by then.
      left.push({ ...call, waited: call.waited || (wasChosen && this.waited.has(job.id)) });
    };
    let sent: SendResult;
    try {
      sent = await makeCalls(this.options, attempt, job, { leave, signal, isPaid });
    } catch (error) {
      if (!(error instanceof HeldBack)) throw error;
      sent = heldResult(error.untilMs, systemClock());
    } finally {
      this.bringing.ended(job);
      if (left.length === 0) this.notBegun(job);
      this.waited.delete(job.id);
      this.options.paidJobs.delete(job.id);
      this.flow.ended(job.id);
    }
    const answered = isCourtesy(job) ? asCourtesy(sent) : sent;
    const result = resultOfPart(answered, attempt.message, systemClock());
    const runMs = systemClock() - (left[0]?.leftMs ?? startedMs);
    this.options.observe(result, runMs);
    tellOfCall(this.options.calls, job, attempt, result, runMs);
    attempt.result = result;
    attempt.holds = isPaid
      ? this.heedPaid(job, attempt.message, result, left.at(-1))
      : this.heed(attempt.message, result, left.at(-1));
    return withinAttempts(result.outcome, job, this.options.calls);
  }

  /**
   * What a dead holder left: not known before its call's deadline has passed, unknown after it; but
   * for a call that did not leave, which waits for nothing.
   */
  async orphan(
    job: Job,
    { neverLeft }: { neverLeft: boolean },
  ): Promise<{ outcome: Outcome; own?: SendAttempt | null }> {
    const left = await orphanedAttempt(this.options.db, job);
    if (neverLeft) {
      const why = "the database was cut off before it was sent";
      const result = notSentResult("cut-off", why, systemClock());
      return { outcome: result.outcome, own: left && { ...left.attempt, result } };
    }
    if (left === null) {
      const error = "no attempt was on record";
      return { outcome: { type: "retry", errorClass: "WorkerDied", error } };
    }
    const { attempt, leftMs } = left;
    if (leftMs > 0) {
      const untilMs = systemClock() + leftMs;
      return { outcome: { type: "pause", untilMs, reason: "may still be sent" } };
    }
    const why = "the worker died while the call was under way";
    const unknown = unknownResult(attempt.message.on_unknown, why);
    const result = isCourtesy(job) ? asCourtesy(unknown) : unknown;
    return { outcome: result.outcome, own: { ...attempt, result } };
  }

  /**
   * What became of a message, and of the last call that left for it, means for the pace of what comes
   * next. Answers what a 429 holds.
   */
  private heed(message: MessageRow, result: SendResult, call: LeftCall | undefined): NewHold[] {
    const nowMs = systemClock();
    if (result.migratedTo !== null) this.pace.move(message.chat_id, result.migratedTo);
    // Telegram cannot be reached, or refuses the token: that is so for all.
    const isForAll = result.unauthorized || result.attempt === "not-sent";
    if (isForAll && result.errorClass !== HELD && result.outcome.type === "pause") {
      this.pace.hold(null, result.outcome.untilMs);
    }
    if (call === undefined) return [];
    // An upload takes as long as it takes.
    const tookMs = bringsFiles(message.content) ? null : nowMs - call.leftMs;
    if (tookMs !== null) this.flow.took(tookMs);
    this.options.keeper.note(nowMs);
    if (result.retryAfterS !== null) {
      const { retryAfterS } = result;
      const held = this.pace.refused(call, nowMs, retryAfterS * 1_000);
      // The bot's may come from an earlier refusal that was for longer.
      const botS = Math.max(retryAfterS, (this.pace.heldUntilMs(null) - nowMs) / 1_000);
      return held.map((chatId) => ({ chatId, forS: chatId === "" ? botS : retryAfterS }));
    }
    const isTaken = result.attempt === "sent" || result.attempt === "failed";
    if (isTaken && !result.unauthorized) this.pace.passed(call, tookMs);
    else this.pace.ended(call.chatId);
    return [];
  }

  /**
   * The same of a call that was to be paid for: a refusal says nothing of the free rate. Paid is what was
   * sent, or may have been.
   */
  private heedPaid(
    job: Job,
    message: MessageRow,
    result: SendResult,
    call: LeftCall | undefined,
  ): NewHold[] {
    const nowMs = systemClock();
    if (call === undefined) return [];
    if (result.migratedTo !== null) this.pace.move(message.chat_id, result.migratedTo);
    const isOwed = result.attempt === "sent" || result.attempt === "unknown";
    if (!isOwed) this.paid.unpaid(priceOf(job));
    this.flow.took(nowMs - call.leftMs);
    this.paid.passed(call.leftMs, nowMs - call.leftMs);
    this.options.keeper.note(nowMs);
    if (result.retryAfterS === null) return [];
    this.paid.refused(call.chatId, nowMs, result.retryAfterS * 1_000);
    return call.chatId === null ? [] : [{ chatId: call.chatId, forS: result.retryAfterS }];
  }

  /** Keeps what was learned of the bot's rate, and puts back what was not paid for. */
  async close(): Promise<void> {
    await Promise.all([this.options.keeper.close(), this.options.allowance.close()]);
    this.options.left();
  }
}

const HELD = "held";
/** What may be paid for is asked now and then; meanwhile nothing else says when to look again. */
const LOOK_AGAIN_MS = 250;

/** Telegram asked to wait since it was chosen: nothing left, and nothing is spent. */
function heldResult(untilMs: number, nowMs: number): SendResult {
  const why = "Telegram asked to wait before more is sent.";
  const outcome: Outcome = { type: "pause", untilMs, reason: HELD };
  return { ...notSentResult(HELD, why, nowMs), outcome };
}

/** Its files are downloaded first. */
const takesFiles = (job: Job): boolean => job.payload.files === true;

/** As how many messages Telegram counts it: of an album, its items. */
const costOf = ({ payload }: Job): number => Number(payload.cost ?? 1);

/** How many messages are paid for where it is paid for; 0: it cannot be. */
const priceOf = ({ payload }: Job): number => Number(payload.mayBePaid ?? 0);

/** Good for seconds only: what fails is not tried again. */
const isCourtesy = ({ kind }: Job): boolean => kind === "chat-action" || kind === "inline-answer";

/** The chat whose pace a job counts for; null for calls that no chat's pace limits. */
function chatOf(job: Job): string | null {
  return job.kind === "message" ? job.orderingKey : null;
}
