-- Messages that 'make listen' acknowledged: durable here before the answer goes out. Ungated: no mart reads them; the
-- next night lands them as objects of their source, and from there they go the way of every file.
create table intake.live (
    live_no bigint generated always as identity primary key,
    source text not null,
    sender_key bytea not null,            -- salted hash of sending application, facility and control id (MSH-3, -4, -10)
    content_key bytea not null,           -- salted hash of the message without its time (MSH-7)
    message_type text not null,           -- for example ORU^R01
    received_at timestamptz not null default clock_timestamp(),
    bytes integer not null,
    is_ungated boolean not null default true check (is_ungated),
    sealed bytea,                         -- the message as received, as an age file for the landing identity; null once landed
    claim bigint,                         -- first live_no of those that become one landing object
    landed_sha256 text,
    landed_night date,
    unique (source, sender_key)
);
create index on intake.live (source, claim) where landed_sha256 is null;
alter table intake.live alter column sealed set storage external;
comment on table intake.live is 'One row per message acknowledged over MLLP and, for 30 nights after it landed, what tells a repetition. Sealed, ungated.';

-- What the hashes are salted with, so that they are those of this installation only.
create table intake.live_salt (
    only_row boolean primary key default true check (only_row),
    salt bytea not null
);
insert into intake.live_salt (salt) values (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- listener: takes messages in. It can neither read one back nor change or remove any.
grant connect on database hot to listener;
grant usage on schema intake to listener;
grant insert (source, sender_key, content_key, message_type, bytes, sealed), select (source, sender_key, content_key) on intake.live to listener;
grant select on intake.live_salt to listener;
grant select, delete, update (claim, sealed, landed_sha256, landed_night) on intake.live to loader;
