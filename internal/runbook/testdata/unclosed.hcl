runbook "r" {
}

stage "one" {
  step "shell" "a" {
    run = "true"
  }
