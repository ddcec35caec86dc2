/**
 * Banks: transfers between accounts keep the total and overdraw none, in every read
 * at every level. Whoever sees half a transfer has seen a state that never was.
 */
import type { ObjectCheck } from './objects.ts'

export const checkBank: ObjectCheck = ({ reads }, { bankTotal }) => {
  for (const read of reads) {
    const balances = Array.isArray(read.value) ? read.value : []
    const total = balances.reduce((sum, balance) => sum + balance, 0)
    if (total !== bankTotal) {
      const because = `the accounts hold ${total} together, not ${bankTotal}`
      return { law: 'bank', because, operations: [read] }
    }
    if (balances.some(balance => balance < 0)) {
      return { law: 'bank', because: 'an account is overdrawn', operations: [read] }
    }
  }
  return null
}
