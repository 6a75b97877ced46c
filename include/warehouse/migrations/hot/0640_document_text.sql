-- De-identified text of documents, made from sealed originals by include/privacy/text/notes.py.
create table restricted.document_text (
    record_id uuid primary key,
    person_token uuid not null,
    form text,                            -- plain, html, ccda, rtf, pdf; null where nothing could be read
    state text not null check (state in ('read', 'cut', 'no_text', 'unreadable')),
    text text,
    section_headings text[] not null default '{}',
    replaced jsonb not null default '{}', -- class of identifier -> how many; numbers only
    rules text not null,                  -- digest of rules, dictionaries and policy: other rules, other text
    known_mark bigint not null,           -- of the patient records that were known; other records, other text
    known_seq bigint not null,            -- newest batch with a record of the patient that was known
    read_at timestamptz not null default clock_timestamp(),
    constraint text_where_read check ((state in ('read', 'cut')) = (text is not null))
);
create index on restricted.document_text (person_token);
comment on table restricted.document_text is 'One row per version of a document received: its text without identifiers.';

-- A person's own records, to know what to look for in their notes.
create index on raw.resource (person_token) where resource_type in ('Patient', 'RelatedPerson', 'DocumentReference');

-- The role that may open everybody's identifiers to search for them also reads notes; it adds no other secret.
-- Of a document's clear part it sees what its attachments are, and no more.
create view restricted.sealed_document as
    select record_id, person_token, body -> 'content' as content, sealed from raw.resource
    where resource_type = 'DocumentReference' and not is_deleted and sealed is not null;
comment on view restricted.sealed_document is 'One row per version of a document received: the clear part of its attachments and the sealed rest.';
grant select on restricted.sealed_document to leak_scanner;
grant select on restricted.person_evidence to leak_scanner;
grant select, insert, update, delete on restricted.document_text to leak_scanner;
grant select, delete on restricted.document_text to transformer;
grant select on restricted.document_text to privacy_officer;
