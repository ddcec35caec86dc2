/** What figures are wished for, and which of them a run misses. Pure. */
import type { KindLine } from '../figures.ts'
import type { FaultName } from '../plan.ts'

const MASTER_WRITE_MS = { p50: 200, worst: 1_000 }

/** @returns what is missed, in words; empty when all is kept */
type Missed = (line: KindLine) => string[]

export const TARGETS: Readonly<Partial<Record<FaultName, Missed>>> = {
  'kill-master': ({ writeGapMs }) =>
    (['p50', 'worst'] as const).flatMap(of =>
      writeGapMs[of] <= MASTER_WRITE_MS[of]
        ? []
        : [
            `MISSED: no write for ${Math.round(writeGapMs[of])} ms (${of}), at most ${MASTER_WRITE_MS[of]}`
          ]
    )
}
