/** What is to be sent cannot be, as things stand. The words are for people, and quote nothing. */
export class CannotSend extends Error {
  override name = "CannotSend";
  readonly errorClass: string;

  constructor(errorClass: string, words: string) {
    super(words);
    this.errorClass = errorClass;
  }
}
