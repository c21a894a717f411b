package runbook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
)

const rehearsed = `
runbook "rehearsed" {}

variable "db" { secret = true }
variable "bucket" { default = "live" }
variable "secret_stand_in" {
  secret  = true
  default = "env:STAND_IN_DB"
}

locals {
  place = "s3://${var.bucket}"
}

site "seoul" {
  ssh     = ["ops@10.1.0.11"]
  address = "10.1.0.11"
  aws {
    region  = "ap-northeast-2"
    account = "222222222222"
  }
}

site "lab" {
  ssh     = ["ops@lab"]
  address = "lab"
  aws {
    region  = "lab-1"
    account = "0"
  }
}

stage "one" {
  step "objects_sync" "a" {
    from = "s3://tokyo"
    to   = "${local.place}/${site.seoul.aws.region}"
  }

  step "shell" "skipped" {
    run   = "rm -rf /live"
    after = [step.objects_sync.a]
  }

  step "shell" "rehearsed" {
    why    = "the real one"
    run    = "deploy live"
    check  = "look at live"
    verify = "look at live again"
    undo   = "undeploy live"
    drill  = "deploy ${site.seoul.address}"
    after  = [step.shell.skipped]
    on     = site.seoul
  }

  step "postgres_copy" "main" {
    from = var.db
    to   = var.db
  }
}

drill "lab" {
  variables = {
    bucket = "stand-in"
    db     = var.secret_stand_in
  }
  sites = { seoul = site.lab }
}

drill "parts" {
  variables = {
    bucket = "${var.bucket}-drill"
    db     = "postgres://localhost:5499/shop"
  }
  sites = {
    seoul = { address = "127.0.0.1", aws = { region = "x" } }
  }
}
`

func TestDrill(t *testing.T) {
	t.Setenv("STAND_IN_DB", "postgres://x:hunter2@lab/shop")
	book := mustParse(t, "test.hcl", rehearsed)
	live, said := book.Bind(Input{Values: map[string]any{"db": secret.New("postgres://live/shop")}})
	if err := said.Err(); err != nil {
		t.Fatal(err)
	}
	b, said := book.Bind(Input{Drill: "lab"})
	if err := said.Err(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"shell.skipped"}, b.NotRehearsed); d != "" || b.Node("shell.skipped") != nil {
		t.Errorf("not rehearsed: %s", d)
	}
	if d := cmp.Diff([]string{"objects_sync.a"}, b.Node("shell.rehearsed").After); d != "" {
		t.Errorf("what waits for a step that is left out waits for what that waits for: %s", d)
	}
	built, _, said := b.Step(b.Node("shell.rehearsed"), noOutputs)
	if err := said.Err(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(fakeShell{Command: "deploy lab", Drill: "deploy lab"}, *built.(*fakeShell), cmp.AllowUnexported(fakeShell{}, secret.String{})); d != "" {
		t.Errorf("shell step of a drill: %s", d)
	}
	built, _, _ = b.Step(b.Node("objects_sync.a"), noOutputs)
	if to := built.(*fakeSync).To; to != "s3://stand-in/lab-1" {
		t.Errorf("to %q", to)
	}
	built, _, _ = b.Step(b.Node("postgres_copy.main"), noOutputs)
	if to := built.(*fakeCopy).To.Reveal(); to != "postgres://x:hunter2@lab/shop" {
		t.Errorf("to %q", to)
	}
	for _, n := range b.Nodes {
		if n.Def != live.Node(n.ID).Def {
			t.Errorf("%s is another step in a drill", n.ID)
		}
	}
	if got := b.Sites[0].Attrs["address"]; got != "lab" || live.Sites[0].Attrs["address"] != "10.1.0.11" {
		t.Errorf("address of the site in the drill: %v", got)
	}
}

// TestStandInMayBeNoLiveSource: a drill that copies into the live source would
// destroy it.
func TestStandInMayBeNoLiveSource(t *testing.T) {
	book := mustParse(t, "test.hcl", `
runbook "r" {}
variable "old" { secret = true }
variable "new" { secret = true }
stage "s" {
  step "postgres_copy" "main" {
    from = var.old
    to   = var.new
  }
}
drill "d" {
  variables = { new = var.old }
}`)
	_, said := book.Bind(Input{Drill: "d", Values: map[string]any{"old": secret.New("postgres://app:pw@old/shop")}})
	if err := said.Err(); err == nil || !strings.Contains(err.Error(), `is the live "from" of step.postgres_copy.main`) {
		t.Errorf("said: %v", err)
	}
}

func TestDrillOfParts(t *testing.T) {
	book := mustParse(t, "test.hcl", rehearsed)
	b, said := book.Bind(Input{Drill: "parts", Values: map[string]any{"db": secret.New("postgres://live/shop")}})
	if err := said.Err(); err != nil {
		t.Fatal(err)
	}
	built, _, _ := b.Step(b.Node("objects_sync.a"), noOutputs)
	if to := built.(*fakeSync).To; to != "s3://live-drill/x" {
		t.Errorf("to %q", to)
	}
	var names []string
	for _, v := range book.DrillNeeds("parts", nil) {
		names = append(names, v.Name)
	}
	for _, v := range book.VariablesNeeded(nil) {
		names = append(names, v.Name)
	}
	if d := cmp.Diff([]string{"db"}, names); d != "" {
		t.Errorf("a drill needs nothing, a live run db: %s", d)
	}
}
