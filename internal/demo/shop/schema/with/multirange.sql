alter table app.oddity add gaps int4multirange;
update app.oddity set gaps = case id when 1 then '{[1,2),[5,6)}' else '{}' end::int4multirange;
