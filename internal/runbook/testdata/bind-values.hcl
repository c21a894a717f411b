# bind wait=4hrs mode=fsat n=zero secret:pw=hunter2 who=kim
runbook "r" {}

variable "wait" {}
variable "mode" {}
variable "n" {}
variable "who" {}

variable "pw" {
  secret = true
}

locals {
  parsed = tonumber(var.pw)
}

stage "one" {
  step "postgres_copy" "a" {
    from  = "env:FROM"
    to    = "env:TO"
    pause = var.wait
    mode  = var.mode
    jobs  = var.n
  }

  step "shell" "b" {
    for_each = { a = "1", b = "2" }
    run      = "echo ${each.value}"
  }

  step "shell" "c" {
    run   = step.shell.b["c"].stdout
    after = [step.shell.b["d"]]
  }

  step "shell" "off" {
    when = var.who == "lee"
    run  = "true"
  }

  step "shell" "d" {
    run = step.shell.off.stdout
  }
}
