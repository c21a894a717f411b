package pg

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRefusedInLogs(t *testing.T) {
	const since = "2026-11-21 02:00:00"
	for _, test := range []struct {
		name, file, prefix, text string
		want                     []Try
	}{
		{"plain, with log_connections", "log/x.log", "%m [%p] ", `2026-11-21 01:59:59.000 UTC [7] LOG:  connection received: host=10.0.0.9 port=50000
2026-11-21 01:59:59.001 UTC [7] LOG:  connection authorized: user=early database=shop application_name=psql
2026-11-21 01:59:59.002 UTC [7] FATAL:  too many connections for database "shop"
2026-11-21 02:00:01.000 UTC [8] LOG:  connection received: host=10.0.0.3 port=50001
2026-11-21 02:00:01.001 UTC [8] LOG:  connection authorized: user=app database=shop application_name=night batch SSL enabled (protocol=TLSv1.3)
	a line that goes on
2026-11-21 02:00:01.002 UTC [8] FATAL:  too many connections for database "shop"
2026-11-21 02:00:02.000 UTC [8] LOG:  connection received: host=[local]
2026-11-21 02:00:02.002 UTC [8] FATAL:  too many connections for role "batch"
2026-11-21 02:00:03.000 UTC [9] LOG:  connection received: host=10.0.0.3 port=50002
2026-11-21 02:00:03.001 UTC [9] LOG:  connection authorized: user=app database=shop application_name=night batch
2026-11-21 02:00:03.002 UTC [9] FATAL:  too many connections for database "shop"
2026-11-21 02:00:04.000 UTC [10] LOG:  connection authorized: user=batch database=other
2026-11-21 02:00:04.002 UTC [10] FATAL:  too many connections for role "batch"
2026-11-21 02:00:04.002 UTC [11] FATAL:  too many connections for database "other"
`, []Try{
			{User: "app", Address: "10.0.0.3", Application: "night batch", Count: 2, Last: "2026-11-21 02:00:03.002"},
			{User: "batch", Address: "local", Count: 1, Last: "2026-11-21 02:00:02.002"},
		}},
		{"plain, told by the prefix", "log/x.log", "%t:%r:%u@%d:[%-6p] (%e) %q%a ", `2026-11-21 02:00:01 KST:10.0.0.3(5432):app@shop:[8     ] (53300) web FATAL:  permission denied for database "shop"
`, []Try{{User: "app", Address: "10.0.0.3", Application: "web", Count: 1, Last: "2026-11-21 02:00:01"}}},
		{"plain, without log_connections", "log/x.log", "%m [%p] ", `2026-11-21 02:00:01.000 UTC [8] FATAL:  too many connections for database "shop"
`, []Try{{Count: 1, Last: "2026-11-21 02:00:01.000"}}},
		{"csv", "log/x.csv", "", `2026-11-21 02:00:01.000 UTC,"app","shop",8,"10.0.0.3:50001",6740,2,"authentication",2026-11-21 02:00:00 UTC,3/2,0,LOG,00000,"connection authorized: user=app database=shop application_name=web",,,,,,,,,"","not initialized",,0
2026-11-21 02:00:01.000 UTC,"app","shop",8,"10.0.0.3:50001",6740,2,"startup",2026-11-21 02:00:00 UTC,3/2,0,FATAL,53300,"too many connections for database ""shop""",,,,,,,,,"","client backend",,0
2026-11-21 02:00:05.000 UTC,"app","sh`, []Try{{User: "app", Address: "10.0.0.3", Application: "web", Count: 1, Last: "2026-11-21 02:00:01.000 UTC"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			entries, err := serverLog{File: test.file, Prefix: test.prefix}.parse([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, refusedIn(entries, "shop", since)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
