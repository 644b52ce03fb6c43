import type { Kind, KindName } from "../kinds.ts";
import { type Reference, readReference, referenceText } from "./references.ts";

/** Whom or what a name or a code of a file stands for. */
export type Found = { id: string } | { fault: string };

const SEVERAL = Symbol("several");

/** People and entries that a file may name: those of the workspace, and those that it makes itself. */
export class Directory {
  private readonly entries = new Map<KindName, Map<string, string>>();
  /** By code alone, of kinds whose codes mean something within another entry. */
  private readonly byCode = new Map<KindName, Map<string, string | typeof SEVERAL>>();
  private readonly people = new Map<string, string | typeof SEVERAL>();

  addEntry(kind: Kind, reference: Reference, id: string): void {
    const entries = this.entries.get(kind.name) ?? new Map<string, string>();
    this.entries.set(kind.name, entries);
    const text = referenceText(reference);
    const isNew = entries.get(text) !== id;
    entries.set(text, id);
    if (reference.within === null || !isNew) return;
    const byCode = this.byCode.get(kind.name) ?? new Map<string, string | typeof SEVERAL>();
    this.byCode.set(kind.name, byCode);
    byCode.set(reference.code, byCode.has(reference.code) ? SEVERAL : id);
  }

  addPerson({ id, name }: { id: string; name: string }): void {
    const known = this.people.get(name);
    this.people.set(name, known === undefined || known === id ? id : SEVERAL);
    this.people.set(id, id);
  }

  /** `text`: as files name an entry of that kind. */
  entry(kind: Kind, text: string): Found {
    const reference = readReference(kind, text);
    const isBare = kind.codeWithin !== undefined && reference.within === null;
    const id = isBare
      ? this.byCode.get(kind.name)?.get(reference.code)
      : this.entries.get(kind.name)?.get(referenceText(reference));
    if (id === undefined) return { fault: `names a ${kind.name} that is not there` };
    if (id !== SEVERAL) return { id };
    const form = `${kind.codeWithin?.toUpperCase()}/CODE`;
    return { fault: `names a code that several ${kind.plural} have: write ${form}` };
  }

  /** By name, or by id where several have the name. */
  person(text: string): Found {
    const id = this.people.get(text);
    if (id === undefined) return { fault: "names nobody of the workspace's people" };
    if (id !== SEVERAL) return { id };
    return { fault: "is the name of several people: write the person's id" };
  }
}
