runbook "r" {
  window {
    opens  = stage.clos
    closes = "open"
  }
}

stage "close" {
  step "shell" "a" { run = "true" }
}

stage "open" {
  step "shell" "b" { run = "true" }
}
