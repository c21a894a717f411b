runbook "r" {}
stage "one" {
  step "shell" "a" {
    run = <<EOT
  echo hello
  }
}
