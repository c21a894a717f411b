runbook "r" {
  title = "unclosed
}

stage "one" {
  step "shell" "a" {
    run = 
  }
  step shell b
}
