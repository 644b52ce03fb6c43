/**
 * The environment of the programs we run: where a system keeps its own, and English. That of our
 * user's shell would get in the way (PG* variables say where Postgres looks for things), and may
 * lack what is needed (/usr/sbin, in a container's PATH).
 */
export const SYSTEM_ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  LANG: "C",
};
