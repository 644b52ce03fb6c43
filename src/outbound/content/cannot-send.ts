/** What is to be sent cannot be, and will not be by itself. The words are for people, and quote nothing. */
export class CannotSend extends Error {
  override name = "CannotSend";
  readonly errorClass: string;

  constructor(errorClass: string, words: string) {
    super(words);
    this.errorClass = errorClass;
  }
}
