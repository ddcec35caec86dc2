/**
 * Watches a simulated cluster and knows what it must never do. What a worker holds to
 * be committed is compared with one true log; as each checksum runs over the whole log
 * before it, one comparison tells of all entries up to there.
 */
import type { ClusterState } from '../../wire/znodes.ts'
import type { Entry } from '../../workers/entry.ts'
import type { Disk, Executed } from './database.ts'
import type { AskedRead } from './orchestrator.ts'
import type { ReadResult } from './reads.ts'
import type { WriteCommand } from './requests.ts'
import { emptyRow } from './rows.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

/** What went wrong, in a word that tests can ask for. */
export type FailureKind =
  | 'committed logs differ'
  | 'named without an entry'
  | 'too few copies'
  | 'two masters in a term'
  | 'two outcomes'
  | 'not committed'
  | 'stale read'
  | 'sound rows doubted'
  | 'too many masters died'
  | 'harmful too soon'
  | 'begun by a deposed master'
  | 'needless copy'
  | 'needless election'
  | 'needless removal'
  | 'forgotten too soon'
  | 'not healed'
  | 'workers differ'
  | 'history'

export class ScheduleFailure extends Error {
  override readonly name = 'ScheduleFailure'
  readonly kind: FailureKind
  readonly atMs: number

  constructor(kind: FailureKind, text: string, atMs: number) {
    super(`${kind}: ${text}`)
    this.kind = kind
    this.atMs = atMs
  }
}

export class Judge {
  readonly #world: World
  /** The log as far as any worker has held it to be committed. */
  readonly truth: Entry[] = []
  /** When each of these was first held to be committed. */
  readonly #committedMs: number[] = []
  readonly #requests = new Map<string, Entry>()
  readonly #masters = new Map<number, string>()
  /** Of what was acknowledged: how far the log went, and from when on. */
  readonly #acknowledged: { readonly atMs: number; readonly index: number }[] = []
  #inSync: readonly string[] = []
  readonly #told = new Set<string>()
  /** Of each write: when and of whom it was asked for, and how many died of it. */
  readonly #asked = new Map<
    string,
    { term: number; sentIn: number; of: Set<object>; deaths: number }
  >()

  constructor(world: World) {
    this.#world = world
  }

  get acknowledged(): number {
    return this.#told.size
  }

  fail(kind: FailureKind, text: string): never {
    throw new ScheduleFailure(kind, text, this.#world.timeline.nowMs)
  }

  /** After each step of a worker: what it holds to be committed is what all others do. */
  stepped({ id, disk, state }: Worker): void {
    const upTo = Math.min(state.commitIndex, disk.last.index)
    if (upTo <= disk.judgedTo) return
    const common = Math.min(upTo, this.truth.length)
    this.#compare(id, disk, common)
    if (upTo > common) {
      const { members } = this.#world.zookeeper
      if (members.length < this.#world.plan.settings.minCopies) {
        this.fail('too few copies', `${id} holds ${upTo} to be committed, in sync are ${members}`)
      }
      for (let index = common + 1; index <= upTo; index++) this.#commit(disk.at(index) as Entry)
      this.#checkNamed()
    }
    disk.judgedTo = upTo
  }

  stateChanged(): void {
    this.#checkNamed()
    if (this.#world.plan.onlySessions) this.#checkNeedless(this.#world.zookeeper.now.node.state)
  }

  /** When sessions end and nothing else goes wrong, the master stays, and so does who counts. */
  #checkNeedless({ term, master, inSync }: ClusterState): void {
    if (term > 1) {
      this.fail('needless election', `${master} leads, and the master of term ${term - 1} is well`)
    }
    const lost = this.#inSync.filter(id => !inSync.includes(id))
    if (lost.length > 0) this.fail('needless removal', `${lost} left the in-sync set, and is well`)
    this.#inSync = inSync
  }

  /**
   * NAMED: nobody throws away what may be the last copy. A master that was cut off from
   * ZooKeeper may name a worker later than that waited for it: as if it had just died.
   * Nothing was acknowledged by its copy, nor is until it has left again.
   */
  startedOver({ id, state }: Worker): void {
    const { now, members } = this.#world.zookeeper
    if (this.#world.plan.onlySessions) {
      this.fail('needless copy', `${id} has to be copied anew, and lost nothing but its session`)
    }
    if (members.includes(id) && state.known?.version === now.node.version) {
      this.fail('named without an entry', `${id} throws its data away and is named`)
    }
  }

  /** A worker would forget the requests up to `upTo`. */
  forgets({ id, disk }: Worker, upTo: number): void {
    const { plan, timeline } = this.#world
    for (let index = disk.forgottenTo + 1; index <= upTo; index++) {
      const agoMs = timeline.nowMs - (this.#committedMs[index - 1] ?? Number.POSITIVE_INFINITY)
      if (agoMs < plan.resultsKeepMs - 1e-6) {
        this.fail(
          'forgotten too soon',
          `${id} forgets ${index}, which was committed ${agoMs} ms ago`
        )
      }
    }
    disk.forgottenTo = Math.max(disk.forgottenTo, upTo)
  }

  doubted({ id }: Worker): void {
    if (!this.#world.doubted.has(id))
      this.fail('sound rows doubted', `${id} calls its rows doubtful`)
  }

  /**
   * A client asks for a write, perhaps again. An orchestrator that knows no term yet cannot tell a
   * late copy from one that outlived its master: to it, one master may have ended already.
   */
  asked(requestId: string, orchestrator: { readonly term: number }): void {
    const term = orchestrator.term || this.#world.zookeeper.now.node.state.term - 1
    const asked = this.#asked.get(requestId) ?? { term, sentIn: term, of: new Set(), deaths: 0 }
    asked.term = Math.min(asked.term, term)
    asked.sentIn = Math.min(asked.sentIn, orchestrator.term)
    this.#asked.set(requestId, asked)
    asked.of.add(orchestrator)
  }

  /** A master begins with a write: not one whose copies were all sent into later terms. */
  begins({ id }: Worker, { requestId }: WriteCommand, term: number): void {
    const sentIn = this.#asked.get(requestId)?.sentIn ?? 0
    if (term >= sentIn) return
    this.fail('begun by a deposed master', `${requestId} by ${id} in ${term}, sent in ${sentIn}`)
  }

  /**
   * A worker died of a write: one for each orchestrator that knew nothing of it, and one more. Who
   * asks another orchestrator comes with a new suspicion.
   *
   * @param of the write, and the term in which it was executed
   */
  poisoned({ id, disk }: Worker, { requestId, term }: { requestId: string; term: number }): void {
    const begun = disk.results.get(`begun ${requestId}`)
    if (begun !== undefined && begun.term < term) {
      this.fail('too many masters died', `${requestId} was begun in ${begun.term} already`)
    }
    const asked = this.#asked.get(requestId)
    if (asked === undefined) return
    asked.deaths += 1
    this.#world.note?.(`${id} dies of ${requestId}, the ${asked.deaths}th`)
    if (asked.deaths > asked.of.size + 1) {
      this.fail('too many masters died', `of ${requestId}: ${asked.deaths}`)
    }
  }

  /** A master refuses a write as harmful: two have ended since, as far as its orchestrator knew. */
  refused({ requestId, statement }: WriteCommand, term: number): void {
    const since = this.#asked.get(requestId)?.term ?? 0
    this.#world.figures.refused += 1
    this.#world.note?.(`${requestId} (${statement}) is harmful in ${term}, asked in ${since}`)
    if (term - since < 2) this.fail('harmful too soon', `${requestId} after one master`)
  }

  /** The answer to a write leaves its master. */
  answered(worker: Worker, told: { term: number; requestId: string; executed: Executed }): void {
    const { requestId, executed, term } = told
    if (executed.kind === 'refused') return
    const { entry } = executed
    if (this.truth[entry.index - 1]?.checksum !== entry.checksum) {
      this.fail('not committed', `${worker.id} answers ${requestId} at ${entry.index}`)
    }
    const known = this.#requests.get(requestId)
    if (known !== undefined && known.index !== entry.index) {
      this.fail('two outcomes', `${requestId} at ${known.index} and ${entry.index}`)
    }
    const master = this.#masters.get(term) ?? `${worker.id}/${worker.pid}`
    this.#masters.set(term, master)
    if (master !== `${worker.id}/${worker.pid}`) {
      this.fail('two masters in a term', `${master} and ${worker.id} acknowledge in ${term}`)
    }
    this.#world.note?.(`${worker.id} acknowledges ${requestId} at ${entry.index}`)
    this.#told.add(requestId)
    const before = this.#acknowledged.at(-1)?.index ?? 0
    if (entry.index > before) {
      this.#acknowledged.push({ atMs: this.#world.timeline.nowMs, index: entry.index })
    }
  }

  /** The answer to a read leaves its worker. */
  showed({ id, disk }: Worker, shown: ReadResult): void {
    const { read, index, takenMs, status } = shown
    if (status !== 200) return
    this.#world.note?.(`${id} shows ${read.key} at ${index} (${read.consistency})`)
    if (index > this.truth.length) this.fail('not committed', `${id} shows ${index}`)
    this.#compare(id, disk, index)
    const { plan } = this.#world
    const oldestMs = takenMs - plan.settings.maxReadAgeMs - plan.lagMs
    const sinceMs = read.consistency === 'strong' ? read.askedMs : oldestMs
    const owed = Math.max(this.#acknowledgedBefore(sinceMs), read.minIndex)
    if (index < owed) {
      this.fail('stale read', `${id} shows ${index}, not ${owed} (${read.consistency})`)
    }
  }

  /** An orchestrator tells what it has kept, at an index that it says it is good for. */
  toldAgain(
    orchestratorId: string,
    told: { read: AskedRead; index: number; result: string }
  ): void {
    const { read, index, result } = told
    const { plan, timeline, note, figures } = this.#world
    figures.toldAgain += 1
    note?.(`${orchestratorId} tells again ${read.key} at ${index} (${read.consistency})`)
    if (index > this.truth.length) this.fail('not committed', `${orchestratorId} tells ${index}`)
    const owedMs = timeline.nowMs - plan.settings.maxReadAgeMs
    const owed = Math.max(this.#acknowledgedBefore(owedMs), read.minIndex)
    const isKey = ({ changes }: Entry) => changes.startsWith(`${read.key}=`)
    const entry = this.truth.slice(0, index).findLast(isKey)
    const row = entry === undefined ? emptyRow(read.key) : entry.changes.slice(read.key.length + 1)
    if (index < owed || result !== row) {
      const what = `${result} at ${index}, not ${row} at ${owed} or later`
      this.fail('stale read', `${orchestratorId} tells ${read.key} = ${what}`)
    }
  }

  #acknowledgedBefore(ms: number): number {
    for (let at = this.#acknowledged.length - 1; at >= 0; at--) {
      const one = this.#acknowledged[at]
      if (one !== undefined && one.atMs < ms) return one.index
    }
    return 0
  }

  #commit(entry: Entry): void {
    this.truth.push(entry)
    this.#committedMs.push(this.#world.timeline.nowMs)
    const { requestId, index } = entry
    if (requestId === '') return
    const known = this.#requests.get(requestId)
    if (known !== undefined)
      this.fail('two outcomes', `${requestId} at ${known.index} and ${index}`)
    this.#requests.set(requestId, entry)
  }

  #compare(id: string, disk: Disk, index: number): void {
    if (index <= disk.base.index) return
    const stored = disk.checksumAt(index)
    if (stored !== this.truth[index - 1]?.checksum) {
      this.fail('committed logs differ', `${id} at ${index}`)
    }
  }

  /** NAMED: whoever counts has all that was acknowledged or shown. */
  #checkNamed(): void {
    const { length } = this.truth
    const newest = this.truth[length - 1]
    if (newest === undefined) return
    for (const id of this.#world.zookeeper.members) {
      const disk = this.#world.disks.get(id)
      if (disk === undefined) continue // its data is gone
      if (disk.base.index < length && disk.checksumAt(length) !== newest.checksum) {
        this.fail('named without an entry', `${id} is named and lacks entry ${length}`)
      }
    }
  }
}
