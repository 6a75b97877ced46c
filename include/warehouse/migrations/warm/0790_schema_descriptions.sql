-- What a client lists first: whose each schema is, in one line.
comment on schema clinical is 'People, encounters, conditions, …, one row each, without identifiers and without dates. For analysts.';
comment on schema measures is 'Who is in which population of which measure, and the results by group, with intervals.';
comment on schema equity is 'Gaps between groups, with intervals.';
comment on schema governance is 'What arrived, what was refused and why, how good it is, and which night each table shows.';
comment on schema workspace is 'Yours: analysts keep tables and views of their own here.';
comment on schema research is 'clinical for research, without those who opted out of it.';
comment on schema public_health is 'clinical for public health, without those who opted out of it.';
