/** What prom-client tells of any process: its CPU, memory, garbage collection and event loop. */
import { collectDefaultMetrics, type Registry } from 'prom-client'

/**
 * Of the samples of the event loop's delay. Each wakes the process, at prom-client's own 10 ms a
 * hundred times a second (docs/performance.md, "Batches, and a system at rest").
 */
const EVERY_MS = 100

export const collectProcessMetrics = (register: Registry): void =>
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: EVERY_MS })
