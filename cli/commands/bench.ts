/**
 * `convoy bench`: the programs that measure.
 */
import { programsCommand } from '../passed-on.ts'

export const bench = programsCommand({
  name: 'bench',
  describe: 'Measures: throughput, failover, scaling, with systems of its own',
  programs: [
    {
      name: 'throughput',
      file: 'bench/bench.ts',
      describe: 'Convoy beside PostgreSQL alone, at 1, 10 and 64 connections (the default)'
    },
    {
      name: 'failover',
      file: 'bench/failover/failover.ts',
      describe: 'how long no client is answered when something dies or hangs'
    },
    {
      name: 'scaling',
      file: 'bench/scaling/scaling.ts',
      describe: 'replicas that follow a load, and how soon a new one serves'
    },
    {
      name: 'upkeep',
      file: 'bench/upkeep/upkeep.ts',
      describe: 'memory at rest; clones, catch-up and pruning under writes'
    },
    {
      name: 'compare',
      file: 'bench/compare.ts',
      describe: 'where a second report is worse than the first'
    },
    {
      name: 'load',
      file: 'bench/load.ts',
      describe: 'users and rides through the gateway of the system that runs here'
    }
  ],
  examples: [
    ['$0 bench', 'about 5 minutes'],
    ['$0 bench throughput --full --seconds 1.5', 'the figures of the README, in about 20 minutes'],
    ['$0 bench throughput --quick', 'about 1 minute, less exact'],
    ['$0 bench load --users 1000 --rides 2000', 'load on the running system']
  ]
})
