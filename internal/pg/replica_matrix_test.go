//go:build torture

package pg

import (
	"testing"

	"github.com/evac-io/evac/internal/testenv"
)

// A replica is made of every major version, and promoted.
func TestMatrixReplica(t *testing.T) {
	for _, major := range []testenv.Which{"10", "11", "12", "13", "14", "15", "16", "17", "18"} {
		t.Run(string(major), func(t *testing.T) { replicaAndPromote(t, major) })
	}
}
