import type { FormattedText } from "../outbound/index.ts";
import {
  type HrefPart,
  type MarkedText,
  replace,
  SLOT,
  type Slot,
  type SlotEntity,
} from "./marked-text.ts";
import { hasPlaceholder, piecesOf, placeholderOf } from "./placeholders.ts";
import type { Section } from "./sections.ts";
import type { Tag } from "./tags.ts";
import type { BodyFault } from "./template-error.ts";
import { isOptional, type Variables } from "./variables.ts";

/**
 * Finds the tags again in a text that was parsed with placeholders for them: each is a slot of the
 * text, or part of a link's address. Where one is neither, no value can stand there.
 */
export function layOut(
  parsed: FormattedText,
  tags: readonly Tag[],
  variables: Variables,
): { marked: MarkedText; faults: BodyFault[] } {
  const faults: BodyFault[] = [];
  const links = linksOf(parsed.entities, tags, variables);
  let marked: MarkedText = { text: parsed.text, entities: links.entities, slots: [] };
  let after = 0;
  tags.forEach((tag, n) => {
    const placeholder = placeholderOf(n, tag);
    const at = marked.text.indexOf(placeholder);
    const again = at < 0 ? -1 : marked.text.indexOf(placeholder, at + 1);
    if (at < 0 && links.found.has(n)) return;
    if (at < after || again >= 0) {
      faults.push({ at: tag.at, message: at < 0 ? NOWHERE : MOVED });
      return;
    }
    const { kind, name } = tag;
    const slot: Slot = { kind, name, at };
    const replaced = replace(marked, at, at + placeholder.length, SLOT);
    marked = { ...replaced, slots: [...replaced.slots, slot] };
    after = at + 1;
  });
  return { marked, faults: [...faults, ...links.faults] };
}

const NOWHERE = "no value can stand here: only in text, and of type url in a link's address";
const MOVED = "the formatting takes this to another place of the text, or there twice";

/** The entities with addresses that are filled in later, and which tags those have. */
function linksOf(entities: FormattedText["entities"], tags: readonly Tag[], variables: Variables) {
  const found = new Set<number>();
  const faults: BodyFault[] = [];
  const withLinks = entities.map((entity): SlotEntity => {
    const { url, ...rest } = entity;
    if (url === undefined || !hasPlaceholder(url)) return entity;
    const pieces = piecesOf(url);
    const inside = pieces.flatMap((piece) => (typeof piece === "number" ? [piece] : []));
    for (const n of inside) found.add(n);
    const wrong = inside.find((n) => {
      const tag = tags[n];
      return tag === undefined || tag.kind !== "value" || variables[tag.name]?.type !== "url";
    });
    if (wrong !== undefined || !isAddress(pieces)) {
      faults.push({ at: tags[wrong ?? inside[0] ?? 0]?.at ?? 0, message: ADDRESS });
      return entity;
    }
    const href = pieces.map((piece): HrefPart => {
      return typeof piece === "string" ? piece : { name: tags[piece]?.name ?? "" };
    });
    return { ...rest, href };
  });
  return { entities: withLinks, found, faults };
}

const ADDRESS =
  "a link's address is one variable of type url, or has such after an http address and its host";

const isAddress = (pieces: readonly (string | number)[]): boolean => {
  const isSound = pieces.every((piece) => typeof piece === "number" || !hasPlaceholder(piece));
  const [first = ""] = pieces;
  const isWhole = pieces.length === 1 && typeof first === "number";
  return isSound && (isWhole || /^https?:\/\/[^/?#]+[/?#]/i.test(String(first)));
};

/** What formatting and sections do to each other that cannot be filled. */
export function faultsOfLayout(
  { entities, slots }: MarkedText,
  sections: readonly Section[],
  tags: readonly Tag[],
  variables: Variables,
): BodyFault[] {
  const opening = tags.filter(({ kind }) => kind === "open");
  const crossed = sections.flatMap(({ open, close }, n) => {
    const isCrossed = entities.some((entity) => crosses(entity, open, close + 1));
    return isCrossed ? [{ at: opening[n]?.at ?? 0, message: CROSSED }] : [];
  });
  const held = entities.flatMap((entity) => {
    const end = entity.offset + entity.length;
    const isGuarded = (name: string) =>
      sections.some((one) => one.name === name && one.open < entity.offset && end <= one.close);
    const unguarded = (entity.href ?? []).flatMap((part) => {
      const name = typeof part === "string" ? "" : part.name;
      const variable = variables[name];
      const mayLack = variable !== undefined && isOptional(variable) && !isGuarded(name);
      return mayLack ? [faultAt(tags, name, UNGUARDED)] : [];
    });
    const slot = slots.find(({ at }) => at >= entity.offset && at < end);
    const isFilled = slot !== undefined && entity.type === "custom_emoji";
    return isFilled ? [...unguarded, faultAt(tags, slot.name, EMOJI)] : unguarded;
  });
  return [...crossed, ...held];
}

const faultAt = (tags: readonly Tag[], name: string, message: string): BodyFault => {
  return { at: tags.find((tag) => tag.name === name)?.at ?? 0, message };
};

function crosses({ offset, length }: SlotEntity, start: number, end: number): boolean {
  const to = offset + length;
  const isApart = to <= start || offset >= end;
  const isInside = offset > start && to < end;
  const isAround = offset <= start && to >= end;
  return !isApart && !isInside && !isAround;
}

const CROSSED =
  "formatting begins outside of this section and ends inside it, or the other way round";
const UNGUARDED =
  "a link whose address may be left out stands outside of the section that guards its address";
const EMOJI = "a custom emoji holds nothing but an emoji";
