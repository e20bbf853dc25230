-- What is no longer in force is looked for by when it ended, and removed when it is too old to be restored.
create index providers_until on dialrouter.providers (until) where until is not null;
create index routes_until on dialrouter.routes (until) where until is not null;
