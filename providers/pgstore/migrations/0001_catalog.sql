create table dialrouter.revisions (
	n          bigint      primary key check (n > 0),
	revision   text        not null unique,
	made       timestamptz not null,
	actor      text        not null,
	remote     text        not null,
	request_id text        not null
);

create table dialrouter.head (
	one      boolean primary key default true check (one),
	n        bigint  not null references dialrouter.revisions (n),
	revision text    not null
);

create table dialrouter.audit (
	n      bigint  not null references dialrouter.revisions (n),
	i      integer not null,
	kind   text    not null check (kind in ('provider', 'route')),
	verb   text    not null check (verb in ('create', 'replace', 'delete')),
	id     uuid    not null,
	name   text    not null,
	before json,
	after  json    not null,
	primary key (n, i)
);

create table dialrouter.providers (
	id      uuid    not null,
	since   bigint  not null references dialrouter.revisions (n),
	until   bigint  references dialrouter.revisions (n) check (until > since),
	deleted boolean not null,
	name    text    not null,
	body    json    not null,
	primary key (id, since)
);

create unique index providers_newest on dialrouter.providers (id) where until is null;
create unique index providers_name on dialrouter.providers (name) where until is null and not deleted;
create index providers_since on dialrouter.providers (since) where until is null;

create table dialrouter.routes (
	id      uuid    not null,
	since   bigint  not null references dialrouter.revisions (n),
	until   bigint  references dialrouter.revisions (n) check (until > since),
	deleted boolean not null,
	name    text    not null,
	body    json    not null,
	primary key (id, since)
);

create unique index routes_newest on dialrouter.routes (id) where until is null;
create index routes_since on dialrouter.routes (since) where until is null;

-- The first revision has nothing in it.
with first as (
	insert into dialrouter.revisions (n, revision, made, actor, remote, request_id)
	values (1, '1-' || left(md5(random()::text || clock_timestamp()::text), 8), clock_timestamp(), '', '', '')
	returning n, revision
)
insert into dialrouter.head (n, revision) select n, revision from first;
