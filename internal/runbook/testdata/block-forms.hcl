runbook {
}
stage "one" {
  step "shell" "a" { run = "true" why = "x" }
  step "shell" "b" = {
    run = "true"
  }
  step "shell" "c" {
    run "true"
  }
  step "shell" "d" {
    run = true, false
  }
  step "shell" "e" {
    run = 'true'
  }
  step "shell" "f"
  {
    run = "true"
  }
}
