runbook "r" {
  window {
    length = "4h"
    opens  = stage.open
    closes = stage.close
  }
}

stage "close" {
  step "shell" "a" { run = "true" }
}

stage "open" {
  step "shell" "b" { run = "true" }
}
