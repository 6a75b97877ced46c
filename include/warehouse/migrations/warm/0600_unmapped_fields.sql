create table governance.unmapped_fields (
    night date not null, source text not null, batch_id text not null, message_type text not null, field text not null,
    occurrences bigint not null, primary key (batch_id, message_type, field)
);
comment on table governance.unmapped_fields is 'One row per batch, HL7 v2 message type and field that became part of no record; the bytes are in landing.';
grant select, insert, update, delete on governance.unmapped_fields to publisher;
grant select on governance.unmapped_fields to analyst, reader, api, privacy_officer;
