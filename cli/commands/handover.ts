/**
 * `convoy handover`: another worker becomes master, as planned.
 */
import { command, printJson } from '../command.ts'
import { orchestratorsOf } from '../orchestrator.ts'
import { Progress, stdout } from '../terminal.ts'

interface HandedOver {
  readonly term: number
  readonly master: string
  readonly pid: number
}

export const handover = command({
  usage: 'handover',
  describe: 'Makes another worker master; writes wait for a few commits',
  examples: [['$0 handover', 'before work on the machine that the master runs on, say']],
  async run(args) {
    using _progress = new Progress('handing over')
    const orchestrators = orchestratorsOf(args)
    const now = await orchestrators.call<HandedOver>({
      method: 'POST',
      path: '/api/v1/cluster/handover',
      timeoutMs: 30_000
    })
    if (args.json) printJson(now)
    else stdout(`worker ${now.pid} (${now.master}) is master of term ${now.term}`)
    return undefined
  }
})
