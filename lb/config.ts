/** lb's settings. It knows ZooKeeper and whatever is registered there; RabbitMQ only tells it of controls. */
import Type, { type Static } from 'typebox'
import { COMMON, HTTP } from '../platform/config.ts'

export const LB = {
  ...COMMON,
  ...HTTP,
  CONVOY_LB_ATTEMPT_MS: Type.Integer({
    minimum: 100,
    default: 10_000,
    description: 'For one answer of one instance: longer than a database that fails over needs'
  }),
  CONVOY_LB_DEADLINE_MS: Type.Integer({
    minimum: 100,
    default: 25_000,
    description: 'For all attempts of one request together'
  }),
  CONVOY_LB_RATE_PER_S: Type.Integer({
    minimum: 0,
    default: 0,
    description:
      'Requests a second that one client address may send, two seconds of them at once; 0: as many as it likes'
  }),
  CONVOY_LB_NAMES: Type.Optional(
    Type.String({
      description:
        'Host names, comma separated, that clients may use beside localhost where lb is reached over loopback, as behind a proxy on the same machine'
    })
  ),
  CONVOY_LB_UNDER_WAY_MAX: Type.Integer({
    minimum: 1,
    default: 2_000,
    description: 'Requests under way; beyond that they are refused'
  })
}
const schema = Type.Object(LB)
export type LbConfig = Readonly<Static<typeof schema>>
