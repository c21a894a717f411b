package testenv

import (
	"fmt"
	"testing"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
)

// ManagedOwner is the user that Managed gives: the owner of its database, who
// may make roles and databases, and is no superuser.
const ManagedOwner = "managed_owner"

// Managed makes an empty database as a provider of managed servers gives it,
// with what only the provider's superuser can make standing in it, and gives
// the connection string of its owner. srv is the test's own: the roles that it
// makes tell evac that the server is managed.
func Managed(t testing.TB, srv *servers.Postgres) secret.DSN {
	t.Helper()
	name := databaseName(t.Name())
	admin(t, srv, `DO $$ BEGIN
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_superuser') THEN
			CREATE ROLE rds_superuser NOLOGIN IN ROLE pg_monitor, pg_signal_backend;
			CREATE ROLE rds_replication NOLOGIN;
			CREATE ROLE `+ManagedOwner+` LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser;
			GRANT rds_replication TO `+ManagedOwner+` WITH ADMIN OPTION;
		END IF;
	END $$`)
	admin(t, srv, "CREATE DATABASE "+name+" TEMPLATE template0 OWNER "+ManagedOwner)
	t.Cleanup(func() { admin(t, srv, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return srv.DSN(name, ManagedOwner)
}

// Furnish puts into a managed database what only the provider's superuser can
// make, and its owner may use but not change: a source as it is found.
func Furnish(t testing.TB, srv *servers.Postgres, database string) {
	t.Helper()
	for _, sql := range []string{
		"CREATE FUNCTION provider_log() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
		"CREATE EVENT TRIGGER provider_log ON ddl_command_end EXECUTE FUNCTION provider_log()",
		"CREATE FUNCTION provider_version() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT version()'",
		fmt.Sprintf("GRANT EXECUTE ON FUNCTION provider_version() TO %s", ManagedOwner),
		"COMMENT ON EXTENSION plpgsql IS 'of the provider'",
	} {
		adminIn(t, srv, database, sql)
	}
}
