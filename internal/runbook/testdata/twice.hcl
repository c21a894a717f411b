runbook "r" {}

runbook "s" {}

variable "db" {}

variable "db" {}

people {
  kim = "lead"
}

people {
  kim = "again"
}

locals {
  a = 1
}

locals {
  a = 2
}

site "x" {
  address = "a"
}

site "x" {
  address = "b"
}

stage "one" {
  step "shell" "x" {
    run = "true"
  }

  gate "go" {
    ask = "?"
  }

  gate "go" {
    ask = "?"
  }

  checklist "list" {
    item "a" { owner = "kim" }
    item "a" { owner = "kim" }
  }
}

stage "two" {
  step "shell" "x" {
    run = "true"
  }
}

stage "one" {}

drill "d" {
  variables = { db = "a", db = "b" }
}

drill "d" {}
