-- What of HL7 v2 messages no resource takes in: nothing vanishes silently.
create table quality.unmapped_field (
    batch_id text not null references lifecycle.batch,
    night date not null,
    source text not null,
    message_type text not null,           -- for example ORU^R01
    field text not null,                  -- for example OBX.19, or PID.7 unreadable
    occurrences bigint not null,
    primary key (batch_id, message_type, field)
);
comment on table quality.unmapped_field is 'One row per batch, message type and field that said something and became part of no resource.';
grant select, insert, delete on quality.unmapped_field to loader;
grant select on quality.unmapped_field to publisher, privacy_officer;
