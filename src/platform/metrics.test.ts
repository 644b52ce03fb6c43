import { describe, expect, test } from "@jest/globals";
import { createMetrics } from "./metrics.ts";

describe("createMetrics", () => {
  test("a metric defined twice is one metric", async () => {
    const metrics = createMetrics({ processMetrics: false });
    const options = { name: "heliograph_things_total", help: "Things.", labels: ["queue"] };
    metrics.counter(options).inc({ queue: "ingest" });
    metrics.counter(options).inc({ queue: "ingest" }, 2);
    expect(await metrics.text()).toContain('heliograph_things_total{queue="ingest"} 3');
    expect(() => metrics.gauge(options)).toThrow(/defined twice/);
  });

  test("a gauge that is asked when the page is read", async () => {
    const metrics = createMetrics({ processMetrics: false });
    let waiting = 1;
    metrics.gauge({ name: "waiting", help: "Waiting.", collect: (gauge) => gauge.set(waiting) });
    waiting = 7;
    expect(await metrics.text()).toContain("waiting 7");
  });

  test("durations reach from half a millisecond to a minute; the process tells of itself", async () => {
    const metrics = createMetrics();
    metrics.histogram({ name: "run_seconds", help: "Run." }).observe(0.0007);
    const text = await metrics.text();
    expect(text).toContain('run_seconds_bucket{le="0.0005"} 0');
    expect(text).toContain('run_seconds_bucket{le="0.001"} 1');
    expect(text).toContain("process_resident_memory_bytes");
    expect(metrics.contentType).toContain("text/plain");
  });

  test("two sets of metrics do not meet", async () => {
    createMetrics().counter({ name: "mine", help: "Mine." }).inc();
    expect(await createMetrics().text()).not.toContain("mine");
  });
});
