/**
 * Deliberate faults, one at a time: what the simulator has to find. A fault is a change
 * of source text that is made as the module loads (mutations-worker.ts), so production
 * code knows nothing of it; `from` has to be there exactly once, so that the list
 * cannot rot. Where the protocol guards twice, a fault takes both guards away.
 */

export interface Edit {
  /** From the checkout's root. */
  readonly file: string
  readonly from: string
  readonly to: string
}

export interface Mutation {
  readonly name: string
  readonly edits: readonly Edit[]
}

const edit = (file: string, from: string, to: string): Edit => ({ file, from, to })

const protocol = (file: string, from: string, to: string): Edit =>
  edit(`workers/protocol/${file}`, from, to)

const heard = (from: string, to: string): Edit => edit('orchestrator/cache/heard.ts', from, to)

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'forget request ids by the wall clock',
    edits: [
      edit(
        'test/simulator/worker.ts',
        '    return this.world.timeline.nowMs\n',
        '    return this.world.timeline.nowMs + this.machine.jumpedMs\n'
      )
    ]
  },
  {
    name: 'forget request ids as soon as they are committed',
    edits: [protocol('forgetting.ts', 'ranMs <= now.ranMs - now.keepMs', 'ranMs <= now.ranMs')]
  },
  {
    name: 'count the age of a request from when it was written, committed or not',
    edits: [
      edit(
        'test/simulator/worker.ts',
        'const index = Math.min(view.keepAfter, disk.last.index)',
        'const index = disk.last.index'
      )
    ]
  },
  {
    name: 'depose a master that is heard, when all sessions have ended',
    edits: [
      protocol('elect.ts', '&& !isMasterExpected(state, known.state, nowMs)', ''),
      protocol('elect.ts', '  if (back !== null) return follow(state, back)\n', '')
    ]
  },
  {
    name: 'take a replica for lost whose session ended with all others',
    edits: [
      protocol(
        'members.ts',
        'if (isAbsent && !isContactFresh(state, who.nowMs)) return true',
        'if (isAbsent) return true'
      )
    ]
  },
  {
    name: 'acknowledge what nobody has confirmed',
    edits: [
      protocol(
        'members.ts',
        'let index = state.last.index\n',
        'let index = state.last.index\n  if (index >= role.first) return index\n'
      )
    ]
  },
  {
    name: 'acknowledge when one in-sync worker has confirmed, not all',
    edits: [
      protocol(
        'members.ts',
        'let index = state.last.index\n',
        'let index = Math.max(0, ...counting(role).map(id => role.progress.get(id)?.index ?? 0))\n  if (index >= role.first) return index\n'
      )
    ]
  },
  {
    name: 'take the whole log for committed when elected',
    edits: [
      protocol(
        'members.ts',
        'if (role.first === null || !enoughCopies(state, role)) return state.commitIndex',
        'if (role.first === null) return state.last.index\n  if (!enoughCopies(state, role)) return state.commitIndex'
      )
    ]
  },
  {
    name: 'take a change of the in-sync set for done when it is sent: the old set does not count',
    edits: [
      protocol(
        'members.ts',
        'return role.change === null ? role.members : [...new Set([...role.members, ...role.change])]',
        'return role.change ?? role.members'
      )
    ]
  },
  {
    name: 'count a joining worker only when its joining is settled',
    edits: [
      protocol(
        'members.ts',
        'return role.change === null ? role.members : [...new Set([...role.members, ...role.change])]',
        'return role.members'
      )
    ]
  },
  {
    name: 'take an unsettled change of the in-sync set for settled',
    edits: [
      protocol(
        'step.ts',
        '    if (state.casPending) return stay(state)\n    return stay(withRole(state, { ...role, members',
        '    return stay(withRole(state, { ...role, members'
      )
    ]
  },
  {
    name: 'remove workers from the in-sync set below minCopies',
    edits: [
      protocol(
        'members.ts',
        'return [...wanted, ...going.slice(0, missing)]',
        'return missing < 0 ? going : wanted'
      ),
      protocol(
        'members.ts',
        'return role.members.length >= minCopies && (role.change?.length ?? minCopies) >= minCopies',
        'return role.members.length + minCopies > 0'
      )
    ]
  },
  {
    name: 'let a worker join that is not level',
    edits: [
      protocol(
        'members.ts',
        'return progress.index >= Math.max(role.first, state.commitIndex)',
        'return true'
      )
    ]
  },
  {
    name: 'let a worker join before the first entry of the term is committed',
    edits: [
      protocol(
        'members.ts',
        'return progress.index >= Math.max(role.first, state.commitIndex)',
        'return progress.index >= state.commitIndex'
      )
    ]
  },
  {
    name: 'elect a worker outside the in-sync set',
    edits: [
      protocol('elect.ts', 'if (!isNamed(state) || !masterGone', 'if (!masterGone'),
      protocol(
        'elect.ts',
        'const found = membersOf(state).flatMap(',
        'const found = [...(state.peers?.keys() ?? [])].flatMap('
      ),
      protocol('step.ts', 'return isNamed(state) || term === 0 ? stay', 'return true ? stay')
    ]
  },
  {
    name: 'take entries without comparing the logs',
    edits: [
      protocol(
        'follow.ts',
        "if (checksum !== last.checksum) return diverge(state, 'log', { nowMs })",
        ''
      ),
      protocol('follow.ts', "if (checksum !== role.tail.checksum) return 'differs'", '')
    ]
  },
  {
    name: 'confirm what is received, before it is durable',
    edits: [
      protocol(
        'follow.ts',
        'index: last.index,\n    checksum: last.checksum,',
        'index: role.tail.index + 0 * last.index,\n    checksum: role.tail.checksum,'
      )
    ]
  },
  {
    name: 'go on as master whatever higher term is heard of',
    edits: [
      protocol(
        'step.ts',
        'if (term !== role.term || master !== state.self.id) return onDeposed(state, known)',
        ''
      ),
      protocol('step.ts', 'return message.term > role.term ?', 'return message.term < 0 ?'),
      protocol(
        'follow.ts',
        "if (role.kind === 'leader' && message.term === role.term) return stay(state)",
        "if (role.kind === 'leader') return stay(state)"
      )
    ]
  },
  {
    name: 'take the commit index of a master whose log was not compared',
    edits: [
      protocol(
        'follow.ts',
        'return match(withRole(state, heard), heard, message, nowMs)',
        'const told = Math.max(state.commitIndex, message.commitIndex)\n  return match(withRole({ ...state, commitIndex: told }, heard), heard, message, nowMs)'
      )
    ]
  },
  {
    name: 'answer writes when what came before them is committed',
    edits: [
      protocol(
        'answers.ts',
        "if (told.kind === 'entry') index = Math.max(index, told.entry.index)",
        ''
      )
    ]
  },
  {
    name: 'throw data away while it is named',
    edits: [protocol('diverge.ts', 'known === null || isNamed(state) ||', 'known === null ||')]
  },
  {
    name: 'read without a fresh /state',
    edits: [
      protocol(
        'view.ts',
        'return nowMs - known.beganMs <= state.settings.maxReadAgeMs',
        'return nowMs > 0'
      )
    ]
  },
  {
    name: 'answer a strong read without a barrier',
    edits: [
      protocol(
        'answers.ts',
        'return held.barrier !== null && held.barrier <= view.passedBarrier // BARRIER',
        'return true'
      )
    ]
  },
  {
    name: 'answer a session read without waiting for its index',
    edits: [protocol('answers.ts', '(minIndex ?? 0) > state.last.index', '(minIndex ?? 0) < 0')]
  },
  {
    name: 'answer before what is shown is committed',
    edits: [protocol('answers.ts', 'if (held.index > view.commitIndex) return false // SHOWN', '')]
  },
  {
    name: 'lead on after a restart, without an election',
    edits: [
      protocol(
        'step.ts',
        "  if (role.kind === 'follower' && role.term >= term) return stay(state)\n",
        "  if (role.kind === 'waiting' && master === state.self.id && state.working === null) {\n    return lead(state, { term, members: inSync })\n  }\n  if (role.kind === 'follower' && role.term >= term) return stay(state)\n"
      ),
      edit('test/simulator/database.ts', "if (disk.term >= term) return { refused: 'term' }", '')
    ]
  },
  {
    name: 'execute a command again that has an outcome',
    edits: [
      edit('test/simulator/database.ts', 'if (known !== undefined) {', 'if (known === null) {')
    ]
  },
  {
    name: 'give a write that ends its masters to every next one',
    edits: [
      edit(
        'orchestrator/lanes/pending-writes.ts',
        'if (!orderly && (write',
        'if (orderly && (write'
      ),
      protocol(
        'answers.ts',
        'again === true && terms.sent < terms.own',
        'again === true && terms.sent < 0'
      )
    ]
  },
  {
    name: 'execute what an earlier master began and did not finish',
    edits: [
      protocol('answers.ts', 'boolean => begunInTerm < term', 'boolean => begunInTerm < 0 * term')
    ]
  },
  {
    name: 'forget what earlier masters began',
    edits: [
      edit(
        'test/simulator/database.ts',
        "return [...this.results.keys()].filter(id => id.startsWith('begun '))",
        'return []'
      ),
      edit(
        'orchestrator/lanes/pending-writes.ts',
        'suspect: known?.suspect ?? false,',
        'suspect: false,'
      )
    ]
  },
  {
    name: 'let a deposed master execute what was sent to the next one',
    edits: [protocol('answers.ts', 'terms.sent > terms.own', 'terms.sent > terms.own + 1_000')]
  },
  {
    name: 'take every write for a suspect',
    edits: [protocol('answers.ts', 'suspect === true || (again', 'suspect !== null || (again')]
  },
  {
    name: 'tell as not done what was sent and not answered',
    edits: [
      edit(
        'orchestrator/lanes/pending-writes.ts',
        'sends > 0 ? new UnknownOutcomeError(requestId)',
        'sends < 0 ? new UnknownOutcomeError(requestId)'
      )
    ]
  },
  {
    name: 'tell a kept answer though what it read has changed',
    edits: [
      heard(
        "return ground.tables.some(table => table.changedAt > index) ? 'changed' : null",
        'return null'
      )
    ]
  },
  {
    name: 'tell a kept answer without a proof',
    edits: [
      heard("if (fresh === null || ask.nowMs - fresh.askedMs > ask.maxAgeMs) return 'unproved'", '')
    ]
  },
  {
    name: 'ignore a gap in what was heard',
    edits: [
      heard('if (news.term > this.#term || news.prev > this.#end)', 'if (news.term > this.#term)')
    ]
  },
  {
    name: 'take a proof of more than was heard',
    edits: [
      heard(
        'term === this.#term && master === this.#master && index <= this.#end',
        'term === this.#term && master === this.#master && index > 0'
      )
    ]
  },
  {
    name: 'tell a session what it has seen more of',
    edits: [heard("return at >= ask.minIndex ? at : 'behind'", 'return at')]
  }
]
