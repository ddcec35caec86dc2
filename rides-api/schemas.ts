/**
 * Bodies that rides-api answers with; the spellings and capitals are the clients'.
 */
import Type from 'typebox'

export const RideReply = Type.Object(
  {
    rideId: Type.Integer(),
    Created_by: Type.String(),
    users: Type.Array(Type.String()),
    Timestamp: Type.String(),
    source: Type.Integer(),
    destination: Type.Integer()
  },
  { description: 'The ride' }
)

export const Listed = Type.Array(
  Type.Object({ rideId: Type.Integer(), username: Type.String(), timestamp: Type.String() }),
  { description: 'Rides, soonest first' }
)
