/**
 * What the global setup tells the test files about this run: names of environment variables, since
 * jest's workers share nothing else with the process that ran the setup.
 */

/** Connection string of a superuser of the run's Postgres. */
export const ADMIN_URL = "HELIOGRAPH_TEST_ADMIN_URL";
/** Name of the migrated database that test databases are cloned from. */
export const TEMPLATE = "HELIOGRAPH_TEST_TEMPLATE";
/** What every database of this run begins with. */
export const RUN_NAME = "HELIOGRAPH_TEST_RUN";
/** A Redis that the run may use; unset when there is none. */
export const RUN_REDIS = "HELIOGRAPH_TEST_RUN_REDIS";
/** How many databases the run's own Redis has; unset when the Redis is not ours. */
export const RUN_REDIS_DATABASES = "HELIOGRAPH_TEST_RUN_REDIS_DATABASES";
/** Folder of this run, for what test files share. */
export const RUN_FOLDER = "HELIOGRAPH_TEST_RUN_FOLDER";
/** Folder with this project as JavaScript, for processes of its own. */
export const COMPILED = "HELIOGRAPH_TEST_COMPILED";
/** File to which skips are appended, a JSON line each. */
export const SKIPS_FILE = "HELIOGRAPH_TEST_SKIPS";

/** The value of a variable that the global setup has set. */
export function fromSetup(name: string): string {
  const value = process.env[name];
  if (value === undefined) {
    throw new Error(`${name} is not set: run the tests through jest, whose global setup sets it`);
  }
  return value;
}
