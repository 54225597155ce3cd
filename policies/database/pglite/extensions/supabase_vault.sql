-- cspell:disable
-- Supabase's Vault is there before the migrations, with its schema: see supabase/prelude.sql.
select;
