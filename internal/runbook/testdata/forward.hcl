runbook "r" {}

stage "one" {
  step "shell" "early" {
    run = "echo ${step.postgres_copy.main.rows}"
  }
}

stage "two" {
  step "postgres_copy" "main" {
    from = "env:FROM"
    to   = "env:TO"
  }
}
