runbook "r" {}

stage "one" {
  step "shell" "a" {
    rnu = "true"
  }
}
