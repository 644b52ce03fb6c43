/** Native ES modules: run with `node --experimental-vm-modules` (see scripts/test.mjs). */
export default {
  testEnvironment: "node",
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      {
        jsc: { parser: { syntax: "typescript" }, target: "es2023" },
        module: { type: "es6" },
        sourceMaps: "inline",
      },
    ],
  },
  testMatch: ["**/*.test.ts"],
  modulePathIgnorePatterns: [
    "<rootDir>/dist/",
    "<rootDir>/dist\\.(?:new|tests)-",
    "<rootDir>/.heliograph/",
  ],
  globalSetup: "<rootDir>/test/support/global-setup.ts",
  globalTeardown: "<rootDir>/test/support/global-teardown.ts",
  // Where more cases are tried than usual (test/support/property.ts), there is as much more time for them.
  testTimeout: 60_000 * Math.max(1, Number(process.env.PROPERTY_RUNS ?? 1) || 1),
  // One more than the gate has cores: a quarter of the time a test file waits for servers and processes
  // of its own.
  maxWorkers: 3,
};
