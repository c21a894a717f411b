runbook "r" {}

variable "hosts" {
  type = list(string)
}

stage "one" {
  step "shell" "first" {
    run = "true"
  }

  step "shell" "a" {
    for_each = [step.shell.first.stdout]
    run      = "true"
  }

  step "shell" "b" {
    for_each = ["x", "y", "x"]
    run      = "echo ${each.name}"
  }

  step "shell" "c" {
    for_each = ["x", 5]
    run      = "echo ${each.key}"
  }

  step "shell" "d" {
    for_each = var.hosts
    run      = "echo ${each.key}"
  }

  step "shell" "e" {
    run   = "echo ${step.shell.d.stdout} ${step.shell.first["x"].stdout}"
    after = [step.shell.d["x"], step.shell.first["x"]]
  }

  step "shell" "f" {
    for_each = each.key
    run      = "true"
  }

  step "shell" "g" {
    for_each = ["x"]
    run      = "true"
    after    = [step.shell.d[each.key], step.shell.first[each.key], step.shell.d[each.kay]]
  }
}
