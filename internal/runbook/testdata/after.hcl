runbook "r" {}

stage "one" {
  step "shell" "a" {
    run   = "true"
    after = step.shell.b
  }

  step "shell" "b" {
    run   = "true"
    after = ["step.shell.c"]
  }

  step "shell" "c" {
    run   = "true"
    after = [shell.d, stage.two, step.shell.d.stdout, gate.goo, var.x, "c"]
  }

  step "shell" "d" {
    run   = "true"
    after = [step.shell.later, checklist.list, step.shell.d]
  }

  gate "go" {
    ask = "?"
  }
}

stage "two" {
  step "shell" "later" {
    run = "true"
  }

  checklist "list" {
    item "x" { owner = "kim" }
  }
}

people {
  kim = "lead"
}
