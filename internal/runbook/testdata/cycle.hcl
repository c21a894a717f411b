runbook "r" {}

locals {
  a = local.b
  b = "x${local.c}"
  c = [local.a]
  d = local.d
}

stage "one" {
  step "shell" "a" {
    run   = "true"
    after = [step.shell.b]
  }

  step "shell" "b" {
    run = "echo ${step.shell.c.stdout}"
  }

  step "shell" "c" {
    run   = "true"
    after = [gate.go]
  }

  gate "go" {
    ask   = "?"
    after = [step.shell.a]
  }
}
