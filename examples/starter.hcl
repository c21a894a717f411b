# A runbook to begin with: it works on any machine and changes nothing but a
# file in ./starter. Read it, run it, then put your own steps in its place.
#
#   evac check runbook.hcl     what would happen
#   evac drill runbook.hcl     rehearse it, in ./rehearsal
#   evac run   runbook.hcl     do it
#   evac undo                  take it back

runbook "starter" {
  title = "My first move"
}

variable "greeting" {
  default = "moved"
  doc     = "what the new place says when it is open"
}

stage "prepare" {
  step "shell" "new_place" {
    why    = "there must be somewhere to move to"
    run    = "mkdir -p starter"
    verify = "test -d starter"
    undo   = "rmdir starter"
    drill  = "mkdir -p rehearsal"
  }
}

stage "move" {
  step "shell" "data" {
    why     = "this is the work; verify proves it, undo takes it back"
    run     = "echo \"$GREETING\" > starter/data"
    verify  = "grep -qxF \"$GREETING\" starter/data"
    undo    = "rm -f starter/data"
    drill   = "echo \"$GREETING\" > rehearsal/data"
    env     = { GREETING = var.greeting }
    timeout = "1m"
  }

  step "wait" "settle" {
    why   = "give caches a moment before anybody looks"
    for   = "1s"
    after = [step.shell.data]
  }
}

stage "open" {
  # A gate waits for a time, for people, or for both. This time has passed. To
  # have people decide, name them and ask:
  #
  #   people {
  #     kim  = "lead"
  #     park = "database"
  #   }
  #
  #   gate "go" {
  #     ask       = "All green. Open?"
  #     approvals = 1 # evac approve go --as park; whoever runs it may not
  #   }
  gate "not_before" {
    at = "2026-01-01T00:00:00Z"
  }

  step "shell" "look" {
    why   = "the last look before people come"
    run   = "cat starter/data"
    drill = "cat rehearsal/data"
    after = [gate.not_before]
  }
}

# A drill runs the same steps against stand-ins, so that evac knows how long
# each takes. It maps everything that would be touched, here nothing but what
# the commands name themselves: drill = "…" runs in place of run = "…".
drill "practice" {}
