# bind drill=smal
runbook "r" {}

stage "one" {
  step "shell" "a" { run = "true" }
}

drill "small" {}
