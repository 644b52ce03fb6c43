/**
 * register/exchange: the register as files, CSV and JSON, in and out (docs/import-export.md). A file is
 * read with the line of each entry (`readFile`), compared with what is there (`planEntry`, a rule
 * without I/O), and written all or not at all; an export is one snapshot, page by page. Both are made
 * from the list of kinds, and know none by itself.
 */
export {
  type ExportRequest,
  openExport,
  ReaderTooSlow,
  type RegisterExport,
} from "./export-register.ts";
export { kindOfPlural } from "./fields.ts";
export {
  type ImportOnce,
  type ImportOutcome,
  type ImportRequest,
  importRegister,
} from "./import-register.ts";
export type { ImportProblem } from "./problems.ts";
export { FILE_FORMATS, type FileFormat } from "./read-file.ts";
