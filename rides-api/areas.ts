/** Areas of the city: 1 to 198, as numbers or as strings of digits. */
import { InvalidAreaError } from './errors.ts'

const AREA_MAX = 198

/** @throws InvalidAreaError */
export function parseArea(area: string | number): number {
  const number = typeof area === 'number' ? area : /^\d+$/.test(area) ? Number(area) : Number.NaN
  if (!Number.isInteger(number) || number < 1 || number > AREA_MAX) throw new InvalidAreaError()
  return number
}
