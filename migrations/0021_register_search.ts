import type { Migration } from "../src/platform/migration.ts";

/**
 * Words of the register are found by an index of lexemes that begin with their workspace's id: another
 * workspace's words are other lexemes, so that neither a word that both have nor the beginning of one
 * costs what a neighbour of millions has. Why so: docs/decisions/0035.
 *
 * Of an entry there are:
 *
 *   <workspace>/word    each word of its code, its title and its description
 *   <workspace>^w, ^wo  how the words of its code and title begin: of one or two letters there would be
 *                       too many words to look through
 *   <workspace>=cc61    its code, without what stands between letters and digits
 *
 * The functions name nothing but what Postgres brings, whatever the search path is: a restored dump
 * builds its indexes without one. They say the same whatever the database's locale is.
 */

/** Capitals that have no accents to lose, and the forms of letters that are another's. */
const CAPITALS =
  "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩςАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЂЄЅІЇЈЉЊЋЏҐÆŒÞÐẞØøĐđŁłıŊŋĦħŦŧ";
const SMALLS =
  "αβγδεζηθικλμνξοπρστυφχψωσабвгдежзийклмнопрстуфхцчшщъыьэюяђєѕіїјљњћџґæœþðßooddllinnhhtt";

/** What stands between words: everything that no script writes with, and CJK punctuation. */
const BETWEEN =
  "[\\u0001-\\u002f\\u003a-\\u0040\\u005b-\\u0060\\u007b-\\u00bf\\u00d7\\u00f7\\u055a-\\u055f\\u05be\\u060c\\u061b\\u061f\\u06d4\\u0964\\u0965\\u2000-\\u206f\\u20a0-\\u20cf\\u2190-\\u2bff\\u3000-\\u303f\\u30fb]+";

/** Marks that NFKD parts from their letters: accents, and those of kana. */
const MARKS = "[\\u0300-\\u036f\\u3099\\u309a]";

/** Scripts that put nothing between words: each of their characters is looked for as one. */
const UNSPACED = "([\\u3040-\\u30fa\\u30fc-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff])";

/** Text as it is compared: without case, accents and width. `text` is SQL that costs nothing twice. */
const folded = (text: string) => `CASE WHEN octet_length(${text}) = length(${text})
      THEN lower(${text} COLLATE "C")
      ELSE lower(replace(translate(regexp_replace(regexp_replace(normalize(${text}, NFKD),
        '${MARKS}', '', 'g'), '${UNSPACED}', ' \\1 ', 'g'), '${CAPITALS}', '${SMALLS}'), 'ß', 'ss') COLLATE "C")
      END`;

/** What is longer is looked for, and found, by its beginning. */
const WORD_LETTERS = 40;
const TITLE_LETTERS = 300;
const TEXT_LETTERS = 4000;
/**
 * Of all of it, folded: some characters become eighteen others, some six words, and of more lexemes than
 * a megabyte Postgres makes no tsvector, so that the entry could not be written.
 */
const FOLDED_LETTERS = 12_000;
const QUERY_LETTERS = 256;
const QUERY_WORDS = 8;
/** Of the code as one lexeme. */
const CODE_LETTERS = 60;

const INDEXES: Record<string, string> = {
  controls: "register_words(workspace_id, code, title, description)",
  risks: "register_words(workspace_id, code, title, description)",
  evidence:
    "register_words(workspace_id, 'EV-' || number::text, type || ' ' || left(description, 300), description)",
};

export const migration: Migration = {
  name: "0021_register_search",
  async up(knex) {
    await knex.raw(`
      CREATE FUNCTION register_words(workspace uuid, code text, title text, body text)
        RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
      DECLARE
        mine text := ' ' || replace(workspace::text, '-', '');
        name text := ${folded("code")};
        named text := left(title, ${TITLE_LETTERS});
        said text := left(body, ${TEXT_LETTERS});
        head text;
      BEGIN
        named := ${folded("named")};
        said := ${folded("said")};
        -- One blank between two words. What is read as a tsvector holds nothing else that it knows.
        name := btrim(regexp_replace(name, '${BETWEEN}', ' ', 'g'));
        head := btrim(name || ' ' || regexp_replace(named, '${BETWEEN}', ' ', 'g'));
        said := head || ' ' || btrim(regexp_replace(said, '${BETWEEN}', ' ', 'g'));
        said := btrim(left(said, ${FOLDED_LETTERS}));
        IF said ~ '[^ ]{${WORD_LETTERS + 1}}' THEN
          said := regexp_replace(said, '([^ ]{${WORD_LETTERS}})[^ ]+', '\\1', 'g');
        END IF;
        RETURN (mine || '/' || replace(said, ' ', mine || '/')
          || mine || '^' || replace(regexp_replace(head, '([^ ])[^ ]*', '\\1', 'g'), ' ', mine || '^')
          || mine || '^' || replace(regexp_replace(head, '([^ ]{1,2})[^ ]*', '\\1', 'g'), ' ', mine || '^')
          || mine || '=' || left(replace(name, ' ', ''), ${CODE_LETTERS}))::tsvector;
      END $$;

      -- All words of it, the last as well as the others by how they begin. Null: there is no word in it.
      CREATE FUNCTION register_query(workspace uuid, asked text)
        RETURNS tsquery LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
      DECLARE
        mine text := replace(workspace::text, '-', '');
        said text := left(asked, ${QUERY_LETTERS});
      BEGIN
        said := ${folded("said")};
        -- Nothing that a tsquery reads as its own is left in a word.
        RETURN (
          SELECT string_agg(CASE WHEN length(word) <= 2
              THEN format('(''%s/%s'' | ''%s^%s'')', mine, word, mine, word)
              ELSE format('''%s/%s'':*', mine, word) END, ' & ' ORDER BY place)
          FROM (
            SELECT left(word, ${WORD_LETTERS}) AS word, min(place) AS place
            FROM regexp_split_to_table(said, '${BETWEEN}') WITH ORDINALITY AS w(word, place)
            WHERE word <> '' GROUP BY 1 ORDER BY 2 LIMIT ${QUERY_WORDS}
          ) words
        )::tsquery;
      END $$;

      -- The entry that is called so, however the code is written.
      CREATE FUNCTION register_code_query(workspace uuid, asked text)
        RETURNS tsquery LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
      DECLARE
        said text := left(asked, ${QUERY_LETTERS});
      BEGIN
        said := left(regexp_replace(${folded("said")}, '${BETWEEN}', '', 'g'), ${CODE_LETTERS});
        IF said = '' THEN RETURN NULL; END IF;
        RETURN format('''%s=%s''', replace(workspace::text, '-', ''), said)::tsquery;
      END $$;

      -- What was written last is looked through by each search until it is part of the index: little
      -- enough that an import is quick and nobody feels it.
      ${Object.entries(INDEXES)
        .map(
          ([table, words]) => `CREATE INDEX ${table}_words ON ${table} USING gin ((${words}))
        WITH (gin_pending_list_limit = 256);`,
        )
        .join("\n      ")}
    `);
  },
};
