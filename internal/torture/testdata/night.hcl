# A night of quick steps: each leaves a trace that can be counted.
runbook "torture" {
  title = "A night that is killed over and over"
  window {
    length = "10m"
    opens  = stage.close
    closes = stage.open
  }
}

variable "token" {
  secret = true
}

people {
  kim  = "lead"
  park = "database"
  lee  = "gateway"
}

stage "prepare" {
  step "shell" "dirs" {
    run    = "mkdir -p made && echo dirs"
    verify = "test -d made"
    undo   = "rm -rf made"
  }
  step "shell" "each" {
    for_each = ["a", "b", "c"]
    run      = "touch made/${each.key}"
    verify   = "test -e made/${each.key}"
    undo     = "rm -f made/${each.key}"
    after    = [step.shell.dirs]
  }
  step "wait" "moment" {
    for = "5ms"
  }
}

stage "close" {
  step "shell" "once" {
    run        = "echo x >> once"
    undo       = "rm -f once"
    repeatable = false
  }
  step "shell" "flaky" {
    run    = "test -e tried || { touch tried; exit 1; }"
    undo   = "rm -f tried"
    verify = "test -e tried"
    retry {
      attempts = 9
      wait     = "1ms"
      max      = "2ms"
    }
  }
  step "page_publish" "down" {
    to = "page"
  }
}

stage "move" {
  step "shell" "use" {
    run    = "printf '%s' \"$SAID\" > said && test -n \"$TOKEN\""
    verify = "test \"$(cat said)\" = dirs"
    undo   = "rm -f said"
    env = {
      SAID  = step.shell.dirs.output_tail
      TOKEN = var.token
    }
  }
  checklist "seen" {
    item "login" {
      owner = "kim"
    }
    after = [step.shell.use]
  }
  gate "go" {
    ask       = "open?"
    approvals = 1
    after     = [checklist.seen]
  }
}

stage "open" {
  step "shell" "open" {
    run    = "touch opened"
    verify = "test -e opened"
    undo   = "rm -f opened"
  }
}
