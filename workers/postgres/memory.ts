/**
 * Bounds the private memory of PostgreSQL's processes, for PostgreSQL bounds none of its
 * functions: `repeat`, `string_agg` and the like take what they want. RLIMIT_DATA counts
 * private memory only, not the shared buffers; an allocation beyond it fails as an ordinary
 * error (53200) of that statement.
 *
 * Invariant: the limit is a soft one, so that the process that applies the log can be exempt:
 * it has to take whatever the master has committed.
 */
import type { Account } from './account.ts'
import { runAs } from './group.ts'

/** The argument of `prlimit`, whose program and all of its children are bounded. */
export const memoryLimit = (mib: number): string => `--data=${mib * 1024 * 1024}:`

/** Lifts the limit of one running process, as its owner: root may lack the right in a container. */
export const exemptFromMemoryLimit = (
  pid: number,
  { account, cwd }: { account: Account | undefined; cwd: string }
): Promise<void> =>
  runAs(account, { program: 'prlimit', args: ['--pid', String(pid), '--data=unlimited:'], cwd })
