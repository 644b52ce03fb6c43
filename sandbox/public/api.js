/** Talks to `/sandbox/api`. Failures are errors whose message is for the person at the page. */

async function answerOf(response) {
  if (response.status === 204) return undefined;
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error ?? `The sandbox answered ${response.status}.`);
  return body;
}

async function reach(path, options) {
  const response = await fetch(`/sandbox/api${path}`, options).catch(() => {
    throw new Error("The sandbox cannot be reached. Is it still running?");
  });
  return answerOf(response);
}

export const get = (path) => reach(path);

export const post = (path, body = {}) =>
  reach(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

export const remove = (path) => reach(path, { method: "DELETE" });

/** Sends files: one as photo or document, several as an album. */
export function sendFiles(message, files, caption) {
  const form = new FormData();
  const kindOf = (file) => (/^image\/(png|jpeg|gif|webp)$/.test(file.type) ? "photo" : "document");
  for (const [index, file] of files.entries()) form.append(`file${index}`, file, file.name);
  const content =
    files.length === 1
      ? { [kindOf(files[0])]: { part: "file0" }, ...(caption && { caption }) }
      : {
          album: files.map((_file, index) => ({
            // Photos and documents do not mix in one album: then all go as documents.
            kind: files.every((each) => kindOf(each) === "photo") ? "photo" : "document",
            file: { part: `file${index}` },
            ...(index === 0 && caption && { caption }),
          })),
        };
  form.append("send", JSON.stringify({ ...message, ...content }));
  return reach("/send", { method: "POST", body: form });
}

export const fileUrl = (fileId) => `/sandbox/api/files/${encodeURIComponent(fileId)}`;

/** Hears of what happens, and again after a lost connection from where it was. */
export function listen(kinds, onEntry, onConnection) {
  const source = new EventSource(`/sandbox/api/events?kinds=${kinds.join(",")}`);
  source.onopen = () => onConnection(true);
  source.onerror = () => onConnection(false);
  source.onmessage = (event) => onEntry(JSON.parse(event.data));
}
