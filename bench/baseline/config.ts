/**
 * Settings of the baseline server.
 */
import Type from 'typebox'
import { HTTP, loadConfig } from '../../platform/config.ts'

const BASELINE = {
  ...HTTP,
  /** Where its databases lie. */
  BASELINE_DIR: Type.String({ minLength: 1 }),
  BASELINE_POSTGRES_BIN: Type.String({ minLength: 1 }),
  /** Synchronous standbys beside the primary, which take the reads. */
  BASELINE_STANDBYS: Type.Integer({ minimum: 0, default: 0 }),
  BASELINE_POSTGRES_USER: Type.String({ default: 'postgres' })
}

export const loadBaselineConfig = () => loadConfig(BASELINE)
