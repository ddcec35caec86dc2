/**
 * `convoy chaos`: harm under load, and a verdict.
 */
import { programsCommand } from '../passed-on.ts'

export const chaos = programsCommand({
  name: 'chaos',
  describe: 'Does harm to a running system under load, and judges whether the guarantees held',
  programs: [{ name: 'chaos', file: 'bench/chaos/chaos.ts', describe: '' }],
  examples: [
    ['$0 chaos', 'the system that runs here, for 5 minutes'],
    ['$0 chaos --own --minutes 1', 'one of its own']
  ]
})
