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
    async read(sql, params, client) {
      gate.check(READ)
      await admission.read(sql, params, client)
    },
    async write(statements, options) {
      gate.check(WRITE)
      return await admission.write(statements, options)
    }
  }
}
