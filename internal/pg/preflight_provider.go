package pg

import (
	"fmt"
	"slices"
	"strings"
)

// provider is who runs a managed server, where the roles of the server tell;
// its zero value is a server of one's own.
type provider struct {
	// name is for people, role the one whose members may do some of what
	// elsewhere takes a superuser, replicate how a user may replicate.
	name, role, replicate string
	// logical is the parameter, with its value, that stands for wal_level = logical.
	logical string
	// where begins the line that sets a parameter: %s is "name = value" in the
	// form of shape.
	where, shape string
}

// providers are known by a role that only they make, told in the manuals of
// the services.
var providers = [...]provider{
	{
		name: "Amazon RDS or Aurora", role: "rds_superuser", replicate: "grant rds_replication to %s", logical: "rds.logical_replication=1",
		where: "in the DB parameter group (of Aurora: of the cluster) set %s and reboot", shape: "%s = %s",
	},
	{
		name: "Google AlloyDB", role: "alloydbsuperuser", replicate: "alter role %s replication", logical: "alloydb.logical_decoding=on",
		where: "gcloud alloydb instances update INSTANCE --cluster CLUSTER --region REGION --database-flags %s (beside all flags that stand)", shape: "%s=%s",
	},
	{
		name: "Google Cloud SQL", role: "cloudsqlsuperuser", replicate: "alter role %s replication", logical: "cloudsql.logical_decoding=on",
		where: "gcloud sql instances patch INSTANCE --database-flags %s (beside all flags that stand; it restarts)", shape: "%s=%s",
	},
	{
		name: "Azure Database for PostgreSQL", role: "azure_pg_admin", replicate: "alter role %s replication", logical: "wal_level=logical",
		where: "az postgres flexible-server parameter set --resource-group GROUP --server-name SERVER %s, then restart it", shape: "--name %s --value %s",
	},
}

func providerOf(roles []string) provider {
	for _, p := range providers {
		if slices.Contains(roles, p.role) {
			return p
		}
	}
	return provider{}
}

// set is the line that sets a parameter which takes effect with a restart.
func (p provider) set(name, value string) string {
	if p.name == "" {
		return fmt.Sprintf("alter system set %s = %s; then restart the server", name, value)
	}
	return fmt.Sprintf(p.where, fmt.Sprintf(p.shape, name, value))
}

// change is the line that sets a parameter which takes effect at once.
func (p provider) change(name, value string) string {
	if p.name == "" {
		return fmt.Sprintf("alter system set %s = '%s'; select pg_reload_conf()", name, value)
	}
	return p.set(name, value)
}

// setLogical is the line that makes a server write what logical replication
// needs.
func (p provider) setLogical() string {
	if p.name == "" {
		return p.set("wal_level", "logical")
	}
	name, value, _ := strings.Cut(p.logical, "=")
	return p.set(name, value)
}

// letReplicate is the line that lets a user replicate.
func (p provider) letReplicate(user string) string {
	if p.name == "" {
		return fmt.Sprintf("as a superuser: alter role %s replication", Quote(user))
	}
	return fmt.Sprintf(p.replicate, Quote(user))
}
