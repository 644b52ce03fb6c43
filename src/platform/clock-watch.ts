/** Less is taken for a clock that is being set slowly. */
const JUMP_MS = 1_000;

/**
 * Whether this machine's clock was set since: by more than a second, either way. What was computed from
 * it before (a slot, a hold's end, when a head is due) lies an hour away after an hour's jump.
 */
export class ClockWatch {
  private readonly offsetMs = offsetMs();

  hasJumped(): boolean {
    return Math.abs(offsetMs() - this.offsetMs) > JUMP_MS;
  }
}

const offsetMs = (): number => Date.now() - performance.now();
