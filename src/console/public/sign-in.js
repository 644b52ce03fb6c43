/**
 * Who follows a link from elsewhere is signed in perhaps, but a SameSite=Strict cookie does not come
 * along with that first request. Asked from here it does.
 */
const next = document.querySelector('input[name="next"]')?.value;
if (next !== undefined && !document.querySelector("#fault")) {
  const answer = await fetch("/console/api/session");
  if (answer.ok && (await answer.json()).endMs !== null) location.replace(next);
}
