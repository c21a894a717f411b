package pg

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/testenv"
)

// loadErrand is what the process that gets killed does for a load.
func loadErrand(t *testing.T, e errand, o CopyOptions) {
	l := LoadOptions{To: o.To, Jobs: o.Jobs, Token: o.Token, Progress: o.Progress, State: LoadState{CopyState: o.State}}
	l.Save = func(ctx context.Context, s LoadState) error { return o.Save(ctx, s.CopyState) }
	var err error
	if e.Undo {
		err = UndoLoad(t.Context(), l)
	} else {
		var plan LoadPlan
		if plan, err = ReadLoadPlan(e.LoadDir, "", ""); err == nil {
			_, err = Load(t.Context(), plan, l)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func newLoadKiller(t *testing.T, h *haul) *killer {
	proxy := newCommitProxy(t, h.To)
	return &killer{t: t, proxy: proxy, errand: errand{To: proxy.dsn.Reveal(), LoadDir: h.plan.Dir, StateFile: filepath.Join(t.TempDir(), "state.json")}}
}

func TestLoadKilledAtEveryCommit(t *testing.T) {
	t.Parallel()
	h := newHaul(t, little(t), testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	before := objectsOf(t, h.To)
	k := newLoadKiller(t, h)
	k.until(false, k.atCommit(1))
	if got := h.verify(t); !got.Equal() || got.Rows != 7 {
		t.Errorf("%+v", got)
	}
	if k.kills < 10 {
		t.Errorf("only %d kills: the load was through before", k.kills)
	}
	if got := asked(t, h.To, "select string_agg(conname, ',' order by conname) from pg_constraint where conname in ('kids_pkey', 'parents_pkey', 'positive')"); got != "kids_pkey,parents_pkey,positive" {
		t.Errorf("constraints %s", got)
	}
	k.until(true, k.atCommit(1))
	if diff := cmp.Diff(before, objectsOf(t, h.To)); diff != "" {
		t.Errorf("undo left another target:\n%s", diff)
	}
}

func TestLoadKilledAtRandom(t *testing.T) {
	t.Parallel()
	h := newHaul(t, salvaged(t, 200), testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	k := newLoadKiller(t, h)
	dice := rand.New(rand.NewPCG(3, 4))
	kills := 0
	k.until(false, func(kill func()) {
		switch kills++; {
		case kills > 24: // through
		case kills%3 != 0:
			k.proxy.arm(1+dice.IntN(6), kill)
		default:
			time.AfterFunc(time.Duration(50+dice.IntN(300))*time.Millisecond, kill)
		}
	})
	if got := h.verify(t); !got.Equal() {
		t.Errorf("%+v", got)
	}
	t.Logf("%d kills", k.kills)
}
