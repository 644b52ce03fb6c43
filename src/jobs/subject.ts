/**
 * What a job is about, beside the owner of its lane: the end of the lane's name, or else its key. In
 * `<connector>/c-100123`, in `<connector>/b<business connection>/123` and under the key `123` of what
 * is sent that is a chat's id, so one index leads to all of a chat's jobs, and to a lane's.
 */

/** The id of what owns a lane begins its name: a UUID. */
export const OWNER_LENGTH = 36;

/** The end of a lane's name, as SQL. */
export const laneEnd = (lane: string) =>
  `ltrim(split_part(substr(${lane}, ${OWNER_LENGTH + 2}), '/', -1), 'c')`;

/** What the job `j` is about, as SQL, and as its index has it (migrations/0005_ledger.ts). */
export const SUBJECT = `coalesce(nullif(${laneEnd("j.lane")}, ''), j.ordering_key) COLLATE "C"`;

/** What the jobs of a lane are about; empty when its name says nothing but its owner. */
export function subjectOfLane(lane: string): string {
  const end =
    lane
      .slice(OWNER_LENGTH + 1)
      .split("/")
      .at(-1) ?? "";
  return end.replace(/^c+/, "");
}
