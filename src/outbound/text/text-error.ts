/**
 * A text that cannot be sent as it was given. The message goes on after the field's name ("has an
 * unknown tag …"), is meant for whoever wrote the text, and may quote a tag of it: not for logs.
 */
export class TextError extends Error {
  override name = "TextError";
  /** Where in the source, in UTF-16 units. */
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}
