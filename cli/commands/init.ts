/**
 * `convoy init`: makes a cluster, once. Never over one that exists, nor over workers with
 * data: a missing /state may mean that ZooKeeper has lost its memory.
 */
import { join } from 'node:path'
import { command, printJson } from '../command.ts'
import { CommandError } from '../outcome.ts'
import { folderOf } from '../target.ts'
import { stdout } from '../terminal.ts'

export const init = command({
  usage: 'init',
  describe: 'Makes a new cluster in ZooKeeper; `convoy up` does that by itself',
  examples: [
    ['$0 init', 'in the ZooKeeper that was started here'],
    [
      'CONVOY_ZOOKEEPER=zk1:2181 CONVOY_ZOOKEEPER_AUTH=convoy:secret CONVOY_CLUSTER=main $0 init',
      'elsewhere'
    ]
  ],
  epilogue:
    'Writes /state of the cluster (CONVOY_CLUSTER): term 0, nobody named, so that the first worker may elect itself.\n' +
    'Refused where there is one already, and where workers have data: see `convoy recover`.',
  run: async args => {
    const { initCluster } = await import('../init.ts')
    const folder = folderOf(args)
    const { made, clusterId } = await initCluster(folder, join(folder, 'workers'))
    if (!made) {
      throw new CommandError(
        clusterId === null
          ? 'ZooKeeper knows no cluster, but there are workers with data'
          : `there is a cluster already: ${clusterId}`,
        {
          next:
            clusterId === null
              ? '`convoy recover` shows what they have, and goes on with it'
              : 'nothing is to be done: `convoy status` shows it'
        }
      )
    }
    if (args.json) printJson({ clusterId })
    else stdout(`made cluster ${clusterId}: workers may start`)
    return undefined
  }
})
