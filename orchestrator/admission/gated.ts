/**
 * Admits nothing while an operator has disabled reading or writing, or frozen this
 * instance, on whatever way a statement comes.
 */
import type { Gate } from '../../platform/controls/gate.ts'
import type { Admission } from './admission.ts'

export const READ = 'db.read'
export const WRITE = 'db.write'

export function gated(admission: Admission, gate: Gate): Admission {
  return {
    read(sql, params) {
      gate.check(READ)
      admission.read(sql, params)
    },
    write(statements) {
      gate.check(WRITE)
      return admission.write(statements)
    }
  }
}
