runbook "r" {
  window {
    length = "4hrs"
    opens  = stage.one
    closes = stage.one
  }
}

stage "one" {
  step "shell" "a" {
    run     = "true"
    timeout = 30
  }

  step "shell" "b" {
    run     = "true"
    timeout = "90 minutes"

    retry {
      attempts = 3
      wait     = "1sec"
      max      = "soon"
    }
  }

  step "shell" "c" {
    run     = "true"
    timeout = "-5s"

    retry {
      attempts = 0
      wait     = "10m"
      max      = "1m"
    }
  }

  step "postgres_copy" "d" {
    from   = "env:FROM"
    to     = "env:TO"
    pause  = "2시간"
    memory = "64 megabytes"
  }

  step "postgres_copy" "e" {
    from   = "env:FROM"
    to     = "env:TO"
    pause  = true
    memory = "much"
  }

  gate "go" {
    ask     = "?"
    at      = "2026-03-01 02:00"
    timeout = "1 hour"
  }
}
