package postgres

import (
	"testing"

	"github.com/evac-io/evac/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
