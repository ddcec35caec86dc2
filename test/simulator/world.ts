/**
 * Everything that a simulated party can reach: time, dice, servers, and the judge.
 */

import { Dice } from '../../testing/random.ts'
import { Ambush } from './ambush.ts'
import type { Disk } from './database.ts'
import { type Figures, FiguresOf } from './figures.ts'
import { Judge } from './judge.ts'
import { type Plan, planFrom } from './plan.ts'
import { RabbitMq } from './rabbitmq.ts'
import { Timeline } from './timeline.ts'
import { ZooKeeper } from './zookeeper.ts'

export class World {
  readonly timeline = new Timeline()
  readonly dice: Dice
  readonly plan: Plan
  readonly judge: Judge
  readonly zookeeper: ZooKeeper
  readonly rabbitmq: RabbitMq
  readonly figures: FiguresOf
  readonly ambush = new Ambush()
  /** By worker, as long as the data is there. */
  readonly disks = new Map<string, Disk>()
  /** Workers whose rows are said to differ, right or wrong. */
  readonly doubted = new Set<string>()
  /** Null unless a replay is to be told: nothing is put into words otherwise. */
  readonly note: ((text: string) => void) | null
  #connections = 0
  readonly #pids = new Map<string, number>()

  constructor(seed: number, trace: ((line: string) => void) | null) {
    this.dice = new Dice(seed)
    this.plan = planFrom(this.dice)
    this.note = trace && (text => trace(`${this.timeline.nowMs.toFixed(1).padStart(8)} ${text}`))
    this.figures = new FiguresOf(this)
    this.judge = new Judge(this)
    this.rabbitmq = new RabbitMq(this)
    this.zookeeper = new ZooKeeper(this)
  }

  /** Of a message, or of what a process does with its database. */
  delay(): number {
    return 0.2 + this.dice.next() * 1.3
  }

  commitDelay(): number {
    return 0.3 + this.dice.next() * this.plan.commitMs
  }

  /** Undone after a time that is mostly short, and at times longer than any timeout. */
  forAWhile(undo: () => void): string {
    const { dice } = this
    const forMs = dice.chance(0.6) ? dice.between(5, 150) : dice.between(150, 1_200)
    this.timeline.after(forMs, undo)
    return `${forMs} ms`
  }

  nextConnection(): number {
    this.#connections += 1
    return this.#connections
  }

  /** Of a worker's next process. In containers of their own, two workers have the same. */
  nextPid(workerId: string): number {
    const pid = (this.#pids.get(workerId) ?? 100) + 1
    this.#pids.set(workerId, pid)
    return pid
  }

  tell(): Figures {
    return this.figures.tell()
  }
}
