import htm from "htm";
import { h } from "preact";

/** Markup as tagged templates: what JSX is, without a build. */
export const html = htm.bind(h);
