-- The digest is the key, for an index entry ends at 2,704 bytes and a name may have 4,000.
create table users (
  username_digest text primary key,
  username text not null,
  -- scrypt$<cost>$<block size>$<parallelism>$<salt>$<hash>
  password text not null
);

-- Lists in the order of names: 200 characters settle almost all of it, sorting the rest.
create index users_in_order on users ((left(username, 200)) collate "C");

-- Events of deleted users, until RabbitMQ has confirmed them.
create table outbox (
  event_id text primary key,
  username text not null,
  -- Request id of the deletion: its outcome tells the log index, which the event carries.
  request_id text not null,
  user_index bigint,
  created_at timestamptz not null default now()
);
