runbook "r" {
  title = "a"
  title = "b"
}

stage "one" {
  step "shell" "x" {
    run     = "true"
    run     = "false"
    timeout = "4hrs"
  }
}
