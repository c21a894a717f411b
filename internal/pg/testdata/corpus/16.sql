-- What came with PostgreSQL 16.
grant corpus_reader to corpus_admin with inherit true, set false;
grant corpus_group to corpus_admin with admin true, inherit false, set true granted by current_user;
alter table c.things alter column name set storage default;
create table c.stored_at (t text storage plain, u text storage external compression pglz); insert into c.stored_at values ('a', 'b');
create table c.json_checked (j text check (j is json object)); insert into c.json_checked values ('{}');
set session authorization corpus_admin; grant corpus_group to "corpus ""odd"" ünï 이름" with admin true; reset session authorization;
set session authorization "corpus ""odd"" ünï 이름"; grant corpus_group to corpus_owner with set false; reset session authorization;
set session authorization corpus_group; grant corpus_reader to "corpus ""odd"" ünï 이름"; reset session authorization;
