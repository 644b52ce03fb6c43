import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

interface MetricOptions {
  /** Whole name, e.g. `heliograph_jobs_completed_total`. Durations in seconds, as Prometheus has them. */
  name: string;
  help: string;
  /** Names of few values: a queue, a kind, a state. Never an id of a chat, a person or a message. */
  labels?: string[];
}

/**
 * The process's metrics. Defining a metric that exists gives the one that exists, so rooms may
 * define theirs wherever they use them.
 */
export interface Metrics {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions & { collect?: (gauge: Gauge) => void | Promise<void> }): Gauge;
  histogram(options: MetricOptions & { buckets?: number[] }): Histogram;
  /** The page that Prometheus reads. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** From half a millisecond to a minute, in seconds. */
const DURATION_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** Metrics of their own registry, with those of the Node process (memory, event loop, GC) unless told. */
export function createMetrics(options: { processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (options.processMetrics ?? true) collectDefaultMetrics({ register: registry });

  function once<Metric>(name: string, kind: new (...args: never[]) => Metric, make: () => Metric) {
    const known = registry.getSingleMetric(name);
    if (known === undefined) return make();
    if (known instanceof kind) return known;
    throw new Error(`Metric ${name} is defined twice, as different kinds`);
  }

  return {
    counter: ({ name, help, labels = [] }) =>
      once(
        name,
        Counter,
        () => new Counter({ name, help, labelNames: labels, registers: [registry] }),
      ),
    gauge: ({ name, help, labels = [], collect }) =>
      once(
        name,
        Gauge,
        () =>
          new Gauge({
            name,
            help,
            labelNames: labels,
            registers: [registry],
            ...(collect === undefined
              ? {}
              : {
                  async collect() {
                    await collect(this);
                  },
                }),
          }),
      ),
    histogram: ({ name, help, labels = [], buckets = DURATION_BUCKETS }) =>
      once(
        name,
        Histogram,
        () => new Histogram({ name, help, labelNames: labels, buckets, registers: [registry] }),
      ),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
