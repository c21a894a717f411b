alter table app.oddity add column x xml;
update app.oddity set x = '<order id="1">two &amp; three</order>' where id = 1;
