import { expect, test } from "@jest/globals";
import { parseHtml } from "./parse-html.ts";

const read = (source: string) => {
  const { text, entities } = parseHtml(source);
  return {
    text,
    marks: entities.map(({ offset, length, ...mark }) => ({
      ...mark,
      words: text.slice(offset, offset + length),
    })),
  };
};

test.each([
  ["<b>a</b><strong>b</strong>", ["bold", "bold"]],
  ["<i>a</i><em>b</em>", ["italic", "italic"]],
  ["<u>a</u><ins>b</ins>", ["underline", "underline"]],
  ["<s>a</s><strike>b</strike><del>c</del>", ["strikethrough", "strikethrough", "strikethrough"]],
  ['<span class="tg-spoiler">a</span><tg-spoiler>b</tg-spoiler>', ["spoiler", "spoiler"]],
  ["<blockquote>a</blockquote>", ["blockquote"]],
  ["<blockquote expandable>a</blockquote>", ["expandable_blockquote"]],
  ["<code>a</code><pre>b</pre>", ["code", "pre"]],
  ["<B>a</B >", ["bold"]],
])("Telegram's tags: %s", (source, types) => {
  expect(read(source).marks.map(({ type }) => type)).toEqual(types);
});

test("what tags carry: addresses, people, emoji, times, languages", () => {
  const source = `<a href="https://e.org/?a=1&amp;b=2">site</a> <a href="tg://user?id=42">Ada</a>
<tg-emoji emoji-id="536">👍</tg-emoji> <tg-time unix="1647531900" format="wDT">then</tg-time>
<pre><code class="language-python">x = 1</code></pre>`;
  expect(read(source)).toEqual({
    text: "site Ada\n👍 then\nx = 1",
    marks: [
      { type: "text_link", url: "https://e.org/?a=1&b=2", words: "site" },
      { type: "text_mention", user: { id: 42 }, words: "Ada" },
      { type: "custom_emoji", custom_emoji_id: "536", words: "👍" },
      { type: "date_time", unix_time: 1647531900, date_time_format: "wDT", words: "then" },
      { type: "pre", language: "python", words: "x = 1" },
    ],
  });
});

test("text stays what it says: entities decoded, breaks, ends trimmed, offsets in UTF-16", () => {
  expect(read(" \n a &lt;b&gt; &amp;amp; &#128077; &nbsp; 1 < 2<br>👨‍👩‍👧 <b>x</b>\n ")).toEqual({
    text: "a <b> &amp; 👍 &nbsp; 1 < 2\n👨‍👩‍👧 x",
    marks: [{ type: "bold", words: "x" }],
  });
  expect(parseHtml("  <b>  a</b>").entities).toEqual([{ type: "bold", offset: 0, length: 1 }]);
});

test("nested as Telegram has it: nothing in code, no quote in a quote, no link in a link", () => {
  const { marks } = read(
    "<b>a<i>b<code>c<u>d</u></code>e</i></b><blockquote>f<blockquote>g</blockquote></blockquote>" +
      '<a href="https://e.org">h<a href="https://f.org">i</a><b>j</b></a><b><b>k</b></b><b> </b>',
  );
  expect(marks).toEqual([
    { type: "bold", words: "ab" },
    { type: "italic", words: "b" },
    { type: "code", words: "cd" },
    { type: "bold", words: "e" },
    { type: "italic", words: "e" },
    { type: "blockquote", words: "fg" },
    { type: "text_link", url: "https://e.org", words: "hij" },
    { type: "bold", words: "j" },
    { type: "bold", words: "k" },
  ]);
});

test("an address that Telegram makes no link of stands behind its words", () => {
  const links =
    '<a href="javascript:alert(1)">x</a> <a href="mailto:a@e.org">write</a> <a href="/p">p</a>';
  expect(read(links)).toEqual({
    text: "x (javascript:alert(1)) write (a@e.org) p (/p)",
    marks: [],
  });
  expect(read('<a href="mailto:a@e.org"><b>a@e.org</b></a>').text).toBe("a@e.org");
});

test.each([
  ["a <font>b</font>", "unknown tag <font> at 2"],
  ["I <3 you", "unknown tag <3> at 2"],
  ["<b>a", "<b> at 0, which is never closed"],
  ["a</b>", "</b> at 1 where no tag is open"],
  ["<b><i>a</b></i>", "</b> at 7 where <i> is open"],
  ["a <b", "tag at 2 that does not end"],
  ["a <b /", "tag at 2 that does not end"],
  ["a <!b", "tag at 2 that does not end"],
  ['a <a href="x', "tag at 2 that does not end"],
  ["<b>a</b", "tag at 4 that does not end"],
  ["a <!-- b --> c", "comment or declaration at 2"],
  ["<![CDATA[x]]>", "comment or declaration at 0"],
  ["<?php x ?>", "comment or declaration at 0"],
  ["<span>a</span>", 'without class="tg-spoiler"'],
  ["<a>b</a>", "<a> at 0 without an href"],
  ['<tg-emoji emoji-id="x">b</tg-emoji>', "without a number"],
  ['<tg-time unix="1" format="x">b</tg-time>', "without a known format"],
])("%s: refused, and where", (source, words) => {
  const refused = () => parseHtml(source);
  expect(refused).toThrow(expect.objectContaining({ name: "TextError" }));
  expect(refused).toThrow(words);
});
