/**
 * `convoy simulate`: the protocol through thousands of bad days.
 */
import { programsCommand } from '../passed-on.ts'

export const simulate = programsCommand({
  name: 'simulate',
  describe: 'Runs whole clusters on virtual time, with faults; a seed replays a failure',
  programs: [{ name: 'simulate', file: 'test/simulator/simulate.ts', describe: '' }],
  examples: [['$0 simulate --seeds 10000', 'ten thousand of them']]
})
